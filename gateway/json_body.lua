-- Refuses JSON bodies with keys or enum values that the contract does not know.
--
-- The transcoder drops unknown keys without a word and has no setting for it, so a misspelt "lerning_rate" would train with the
-- default. This filter reads the body first and says which key it was. Syntax is left to the transcoder: where the text stops
-- being JSON, this stops too. `calls`, `messages` and `enums` are written above this text by supervisor/json_bodies.py.

-- Deeper than any message of ours; the transcoder refuses what is nested deeper.
local MAX_DEPTH = 64
local QUOTE, COMMA, COLON = 34, 44, 58
local OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125

-- Keys and indices from the root to the value being read. One table for all of a body, so that reading four megabytes of list
-- makes no millions of strings.
local trail = {}

local function path_to(depth)
  local path = ""
  for level = 1, depth do
    local step = trail[level]
    if type(step) == "number" then
      step = "[" .. step .. "]"
    elseif path ~= "" then
      step = "." .. step
    end
    path = path .. step
  end
  return path
end

-- Leave the scan: with a fault of the value at this depth, or without one where the text is no JSON.
local function stop(depth, fault)
  error({path = depth and path_to(depth), fault = fault}, 0)
end

local function after_space(text, at)
  return text:find("[^ \t\r\n]", at) or stop()
end

-- The position of the quote that closes the one at `at`.
local function closing_quote(text, at)
  while true do
    local found = text:find('["\\]', at + 1) or stop()
    if text:byte(found) == QUOTE then
      return found
    end
    at = found + 1
  end
end

local function names_of(message)
  local names = {}
  for name, field in pairs(message) do
    if field.name == name then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

local function known_field(message, key, seen, depth)
  trail[depth] = key
  local field = message[key]
  if not field then
    local owner = depth == 1 and "the body" or path_to(depth - 1)
    stop(depth, "there is no such field; " .. owner .. " takes " .. names_of(message))
  elseif seen[field.name] then
    stop(depth, "is there twice; remove one of the two")
  end
  seen[field.name] = true
  return field
end

local scan_value

-- `kind` is nil where anything goes: in a google.protobuf.Struct, and for scalars.
local function scan_object(text, at, kind, depth)
  local message = messages[kind]
  local seen = message and {}
  at = after_space(text, at + 1)
  while text:byte(at) ~= CLOSE_OBJECT do
    local close = text:byte(at) == QUOTE and closing_quote(text, at) or stop()
    local field = message and known_field(message, text:sub(at + 1, close - 1), seen, depth)
    at = after_space(text, close + 1)
    if text:byte(at) ~= COLON then
      stop()
    end
    at = scan_value(text, after_space(text, at + 1), field and field.kind, depth)
    at = after_space(text, at)
    if text:byte(at) == COMMA then
      at = after_space(text, at + 1)
    end
  end
  return at + 1
end

local function scan_list(text, at, kind, depth)
  local index = 0
  at = after_space(text, at + 1)
  while text:byte(at) ~= CLOSE_LIST do
    trail[depth] = index
    index = index + 1
    at = after_space(text, scan_value(text, at, kind, depth))
    if text:byte(at) == COMMA then
      at = after_space(text, at + 1)
    end
  end
  return at + 1
end

-- Reads the value at `at`, whose own key or index is at `depth`, and returns the position after it.
function scan_value(text, at, kind, depth)
  local first = text:byte(at)
  if first == QUOTE then
    local close = closing_quote(text, at)
    local enum = enums[kind]
    local value = enum and text:sub(at + 1, close - 1)
    if enum and not enum.values[value] then
      stop(depth, value .. " is none of its values; send one of " .. enum.shown)
    end
    return close + 1
  elseif depth >= MAX_DEPTH then
    stop()
  elseif first == OPEN_OBJECT then
    return scan_object(text, at, kind, depth + 1)
  elseif first == OPEN_LIST then
    return scan_list(text, at, kind, depth + 1)
  end
  local _, last = text:find("^[%w+%-.]+", at)
  return (last or stop()) + 1
end

local function expected_message(handle)
  local method = handle:headers():get(":method")
  local path = handle:headers():get(":path"):gsub("%?.*", "")
  for _, call in ipairs(calls) do
    if call.method == method and path:find(call.path) then
      return call.message
    end
  end
end

function envoy_on_request(handle)
  local message = expected_message(handle)
  local body = message and handle:body()
  if not body or body:length() == 0 then
    return
  end
  local text = body:getBytes(0, body:length())
  local _, violation = pcall(function()
    local at = after_space(text, 1)
    if text:byte(at) == OPEN_OBJECT then
      scan_object(text, at, message, 1)
    end
  end)
  if type(violation) ~= "table" or not violation.path then
    return
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("tunesmith", "field", violation.path)
  metadata:set("tunesmith", "fault", violation.fault)
  handle:respond({[":status"] = "400"}, "")
end
