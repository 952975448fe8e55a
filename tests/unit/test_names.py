from hypothesis import given
from hypothesis import strategies as st

from slipway import names

MODELS = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
VERSIONS = st.integers(min_value=1, max_value=10**6)


@given(MODELS, VERSIONS)
def test_a_selector_says_which_version_it_selects(model: str, version: int) -> None:
    selector = names.selector(names.inference_service(model, version))
    assert names.selected_version(model, selector) == version
    service = names.inference_service(model, version)
    assert names.version_in(service) == names.version_in(service, model) == version
    assert names.version_in(service, f"{model}-v1") is names.version_in(f"{service}-predictor") is None


def test_a_selector_of_another_model_names_no_version() -> None:
    assert names.selected_version("churn", names.selector("churn-eu-v7")) is None
    assert names.selected_version("churn", names.selector("churn-v07")) is None
    assert names.selected_version("churn", {}) is None
    assert names.selected_version("churn", {**names.selector("churn-v7"), "track": "beta"}) is None


def test_the_longest_name_fits_the_labels_that_kserve_derives() -> None:
    longest = "m" * names.MAX_INFERENCE_SERVICE
    assert len(names.selector(longest)["app"]) == 63


@given(MODELS, VERSIONS)
def test_each_name_of_a_models_objects_leads_back_to_the_model(model: str, version: int) -> None:
    service = names.inference_service(model, version)
    for name in (names.primary(model), names.canary(model), service, names.predictor(service)):
        assert names.base_of(name) == model


def test_names_that_are_nobodys_objects_have_no_base() -> None:
    for name in ("churn", "churn-v", "churn-v0", "churn-v1b", "primary", "churn-predictor", "v1", "churn-primary-eu"):
        assert names.base_of(name) is None, name
