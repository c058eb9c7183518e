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

-- A file that comes again under the identifiers of one that is there is dropped by Orthanc and answered as stored
-- (OverwriteInstances is false). Where it differs in what counts, that is written to the instance that is there before it
-- is answered, as metadata, whose change the feed tells (Orthanc Book, "Lua": ReceivedInstanceFilter). A file that cannot
-- be compared, or whose difference cannot be written, is not answered as stored: an error here is one for its sender.
local RESENT = '/metadata/5017'
local MOST_KEPT = 8

-- What an image says of whose it is and what it is for.
local SAYS = {
  'AccessionNumber', 'RequestedAccessionNumbers', 'IssuerOfPatientID', 'PatientName', 'PatientBirthDate', 'PatientSex',
  'StudyDate',
}
-- By which another picture under the same identifiers shows: pixels are not given to a filter.
local SHOWS = {
  'SOPClassUID', 'Modality', 'ImageType', 'InstanceCreationDate', 'InstanceCreationTime', 'ContentDate', 'ContentTime',
  'AcquisitionDate', 'AcquisitionTime', 'InstanceNumber', 'NumberOfFrames', 'Rows', 'Columns', 'BitsStored',
  'PhotometricInterpretation', 'WindowCenter', 'WindowWidth', 'RescaleSlope', 'RescaleIntercept', 'PatientOrientation',
  'ImageOrientationPatient', 'ImagePositionPatient', 'Laterality', 'ImageLaterality', 'BodyPartExamined', 'ViewPosition',
  'DerivationDescription', 'ImageComments', 'BurnedInAnnotation', 'LossyImageCompression',
}

local function text(value)
  return type(value) == 'string' and string.match(value, '^[%s%z]*(.-)[%s%z]*$') or ''
end

local function said(tags)
  local numbers = {}
  if type(tags.RequestAttributesSequence) == 'table' then
    for _, item in ipairs(tags.RequestAttributesSequence) do
      if type(item) == 'table' and text(item.AccessionNumber) ~= '' then numbers[#numbers + 1] = text(item.AccessionNumber) end
    end
  end
  local one = { RequestedAccessionNumbers = table.concat(numbers, '\\') }
  for _, name in ipairs(SAYS) do one[name] = one[name] or text(tags[name]) end
  return one
end

-- By which, with its SOP Instance UID, Orthanc knows an image.
local function isSame(one, other)
  for _, name in ipairs({ 'PatientID', 'StudyInstanceUID', 'SeriesInstanceUID' }) do
    if text(one[name]) ~= text(other[name]) then return false end
  end
  return true
end

-- What came differs from: what is there, and the difference as it was told before.
local function difference(dicom, there)
  if there == nil then return { differs = { 'file' } } end
  local came, before, differs = said(dicom), said(there), {}
  for _, name in ipairs(SAYS) do
    if came[name] ~= before[name] then differs[#differs + 1] = name end
  end
  for _, name in ipairs(SHOWS) do
    if text(dicom[name]) ~= text(there[name]) then differs[#differs + 1] = name end
  end
  return { said = came, differs = differs }
end

local function isTold(one, last)
  if table.concat(one.differs, ' ') ~= table.concat(last.differs, ' ') then return false end
  for _, name in ipairs(SAYS) do
    if (one.said or {})[name] ~= (last.said or {})[name] then return false end
  end
  return true
end

local function tell(path, one)
  local kept = RestApiGet(path .. RESENT)
  local list = kept ~= nil and ParseJson(kept) or {}
  -- What has a digest the sidecar told, of bytes that no filter sees.
  local last
  for _, told in ipairs(list) do
    if told.digest == nil then last = told end
  end
  if last == nil and #one.differs == 0 or last ~= nil and isTold(one, last) then return end
  if #list >= MOST_KEPT then table.remove(list, 1) end
  list[#list + 1] = one
  if RestApiPut(path .. RESENT, DumpJson(list, true)) == nil then error('what came again could not be told: ' .. path) end
end

-- Tells in what it differs from the one that is there; whether there is one.
local function isThere(uid, dicom)
  local found = false
  for _, one in ipairs(ParseJson(RestApiPost('/tools/lookup', uid))) do
    local file = one.Type == 'Instance' and RestApiGet(one.Path .. '/simplified-tags') or nil
    if file ~= nil then
      local there = ParseJson(file)
      if isSame(dicom, there) then
        found = true
        tell(one.Path, difference(dicom, there))
      end
    elseif one.Type == 'Instance' and RestApiGet(one.Path) ~= nil then
      -- Its file cannot be read.
      tell(one.Path, difference(dicom, nil))
    end
  end
  return found
end

-- Two files of one image can come at the same moment: the second is let in only when the first, which was let in just now, is
-- there. Filters wait for each other, but not for what was let in.
local LONGEST_S = 2
local letIn, swept = {}, 0

local function remember(uid)
  local now = os.time()
  if now ~= swept then
    for other, since in pairs(letIn) do
      if now - since > LONGEST_S then letIn[other] = nil end
    end
    swept = now
  end
  letIn[uid] = now
end

function ReceivedInstanceFilter(dicom, origin, info)
  local uid = text(dicom.SOPInstanceUID)
  if uid == '' then return true end
  while not isThere(uid, dicom) do
    if letIn[uid] == nil or os.time() - letIn[uid] > LONGEST_S then
      remember(uid)
      break
    end
  end
  return true
end
