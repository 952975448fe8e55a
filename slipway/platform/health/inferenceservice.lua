-- The health of an InferenceService (serving.kserve.io). A target moves once this says Healthy, and a delivery fails at
-- once when it says Degraded; Argo CD's own says so of one that KServe has not looked at yet.
local status = obj.status or {}
local health = { status = "Progressing", message = "not ready yet" }
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    if condition.status == "True" then
      health.status = "Healthy"
    end
    health.message = condition.message or condition.reason or ("Ready: " .. tostring(condition.status))
  end
end
local transition = (status.modelStatus or {}).transitionStatus
if health.status ~= "Healthy" and (transition == "BlockedByFailedLoad" or transition == "InvalidSpec") then
  local failure = status.modelStatus.lastFailureInfo or {}
  health.status = "Degraded"
  health.message = transition .. ": " .. (failure.message or "the model cannot be loaded")
end
return health
