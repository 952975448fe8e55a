-- The health of a Canary (flagger.app). Argo CD's own fails on a Canary without conditions, knows no phase in which
-- somebody is waited for, and calls a rollback that has been put down in Git broken for ever.
local status = obj.status or {}
local phase = status.phase or ""
local said = ""
for _, condition in ipairs(status.conditions or {}) do
  said = condition.message or said
end

local health = { status = "Progressing", message = "not seen by Flagger yet" }
if phase == "" then
  return health
end
health.message = phase .. ", " .. tostring(status.canaryWeight or 0) .. "% of the traffic: " .. said
if phase == "Initialized" or phase == "Succeeded" then
  health.status = "Healthy"
elseif phase == "Failed" and status.lastAppliedSpec ~= nil and status.lastAppliedSpec == status.lastPromotedSpec then
  -- The target is back on what serves: nothing is left to do.
  health.status = "Healthy"
elseif phase == "Failed" or phase == "Waiting" or phase == "WaitingPromotion" then
  -- Users are served by the primary; somebody has to say how it goes on.
  health.status = "Suspended"
end
return health
