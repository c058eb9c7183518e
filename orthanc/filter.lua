-- Who may do what by HTTP (Orthanc Book, "Lua: filtering incoming REST requests"): the sidecar's account everything, every
-- other one looks, downloads and sets labels. What is not named here is refused.
local own = os.getenv('ORTHANC_USERNAME')

local LOOK = {
  '^/$', '^/app$', '^/app/', '^/ui$', '^/ui/', '^/favicon%.ico$',
  '^/system$', '^/statistics$', '^/plugins$', '^/plugins/explorer%.js$', '^/tools/labels$', '^/tools/now',
  '^/changes$', '^/jobs$', '^/modalities$', '^/peers$',
  '^/patients$', '^/patients/', '^/studies$', '^/studies/', '^/series$', '^/series/', '^/instances$', '^/instances/',
  '^/dicom%-web/', '^/wado$', '^/stone%-webviewer/', '^/ohif/', '^/osimis%-viewer/', '^/web%-viewer/',
}
local ASK = { '^/tools/find$', '^/tools/lookup$', '^/tools/count%-resources$', '^/tools/bulk%-content$' }
local LABEL = { '^/studies/[%x-]+/labels/([%w_-]+)$', '^/series/[%x-]+/labels/([%w_-]+)$',
                '^/patients/[%x-]+/labels/([%w_-]+)$', '^/instances/[%x-]+/labels/([%w_-]+)$' }

local function any(patterns, uri)
  for _, pattern in ipairs(patterns) do
    local found = string.match(uri, pattern)
    if found then return found end
  end
  return nil
end

-- The sidecar's own labels say what is linked and reported: those of sidecar/linking/rules/labels.ts, which a test compares.
local OWN_LABELS = { ['ris-linked'] = true, ['ris-provisional'] = true, ['ris-review'] = true, ['report-final'] = true }

-- Nobody tells RIS-Linked from ris-linked at a glance, or another ris- label from these.
local function isSidecars(label)
  local lower = string.lower(label)
  return string.sub(lower, 1, 4) == 'ris-' or OWN_LABELS[lower] ~= nil
end

function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  if own ~= nil and own ~= '' and username == own then return true end
  if username == nil or username == '' then return false end
  if string.find(uri, '..', 1, true) or string.find(uri, '//', 1, true) then return false end
  if method == 'GET' then return any(LOOK, uri) ~= nil end
  if method == 'POST' then return any(ASK, uri) ~= nil end
  if method == 'PUT' or method == 'DELETE' then
    local label = any(LABEL, uri)
    return label ~= nil and not isSidecars(label)
  end
  return false
end
