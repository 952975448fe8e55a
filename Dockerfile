# The images of the platform's component `services`: `docker build .` makes that of the judge with observe,
# `docker build --target drift .` that of the job which writes Evidently's reports.
# Pin the base by digest in a registry of your own; `slipway images lock` asks for digests.
FROM python:3.12-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/slipway OPENBLAS_NUM_THREADS=1
WORKDIR /opt/slipway

FROM base AS drift
COPY tools/evidently/requirements.txt ./
RUN pip install --no-cache-dir --no-deps -r requirements.txt
COPY slipway/__init__.py slipway/
COPY slipway/observe/__init__.py slipway/observe/report.py slipway/observe/
USER 65532

FROM base
COPY constraints.txt ./
# What slipway.judge with slipway.observe import of requirements.txt; the rest is a gigabyte that they never read.
RUN pip install --no-cache-dir -c constraints.txt \
    anyio numpy prometheus_client pydantic PyYAML requests rich scipy starlette typer uvicorn
COPY slipway slipway
USER 65532
