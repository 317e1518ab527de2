-- What of Gateway API maps alone cannot decide or do. Nothing about routes stands here: what is to be done is
-- read from entries of maps, whose words gateway/matching.py and gateway/filters.py write and tell of.

local MOST = 1000 -- entries remembered as they were read

local function reader(read)
  local known, count = {}, 0
  return function(text)
    local found = known[text]
    if not found then
      if count >= MOST then known, count = {}, 0 end
      found = read(text)
      known[text], count = found, count + 1
    end
    return found
  end
end

local function plain(word)
  return (word:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- "WORD=WORD&WORD=WORD" as lists of decoded words
local function lists(text)
  local found = {}
  for part in text:gmatch("[^&]+") do
    local words = {}
    for word in (part .. "="):gmatch("([^=]*)=") do words[#words + 1] = plain(word) end
    found[#found + 1] = words
  end
  return found
end

local candidates = reader(function(text)
  local found = {}
  for part in text:sub(2):gmatch("[^|]+") do
    local conditions, rule = part:match("^(.-)~(.*)$")
    found[#found + 1] = { conditions = lists(conditions), rule = rule }
  end
  return found
end)

local orders = reader(lists)

local function header(txn, name)
  txn.headers = txn.headers or txn.http:req_get_headers()
  local values = txn.headers[name]
  if not values then return nil end
  local all = {}
  for index = 0, #values do all[#all + 1] = values[index] end
  return table.concat(all, ",")
end

local function parameter(txn, name)
  if not txn.parameters then
    txn.parameters = {}
    for part in (txn.sf:query() .. "&"):gmatch("([^&]*)&") do
      local key, value = part:match("^([^=]*)=?(.*)$")
      key, value = plain((key:gsub("+", " "))), plain((value:gsub("+", " ")))
      if txn.parameters[key] == nil then txn.parameters[key] = value end
    end
  end
  return txn.parameters[name]
end

local function holds(seen, condition)
  local kind = condition[1]
  if kind == "m" then return seen.sf:method() == condition[2] end
  if kind == "h" then return header(seen, condition[2]) == condition[3] end
  return parameter(seen, condition[2]) == condition[3]
end

-- Sets txn.rule to the first candidate all of whose conditions hold.
core.register_action("choose", { "http-req" }, function(txn)
  local seen = { sf = txn.sf, http = txn.http }
  for _, each in ipairs(candidates(txn:get_var("txn.way"))) do
    local all = true
    for _, condition in ipairs(each.conditions) do
      if not holds(seen, condition) then all = false break end
    end
    if all then
      txn:set_var("txn.rule", each.rule)
      return
    end
  end
end)

local function answer(txn, status, location)
  local reply = txn:reply({ status = status })
  if location then reply:add_header("location", location) end
  reply:add_header("cache-control", "no-store")
  txn:done(reply)
end

local function replaced(path, prefix, replacement)
  local rest = path:sub(#prefix:gsub("/$", "") + 1)
  local made = replacement:gsub("/$", "") .. rest
  return made == "" and "/" or made
end

local function location(txn, order, path)
  local _, _, scheme, host, port = table.unpack(order)
  if port == "" and scheme ~= "" then port = scheme == "https" and "443" or "80" end
  if port == "" then port = (txn:get_var("txn.in") or ""):match("%d+") or "" end
  scheme = scheme ~= "" and scheme or txn:get_var("txn.proto")
  host = host ~= "" and host or txn:get_var("txn.host")
  local usual = scheme == "https" and "443" or "80"
  local place = (port == "" or port == usual) and host or host .. ":" .. port
  local query = txn.sf:query()
  return scheme .. "://" .. place .. path .. (query ~= "" and "?" .. query or "")
end

-- Does to a request what its rule's filters say, or answers it.
core.register_action("filter", { "http-req" }, function(txn)
  local http, path, later = txn.http, nil, false
  local drawn, reached = nil, 0
  for _, order in ipairs(orders(txn:get_var("txn.filter"))) do
    local what = order[1]
    if what == "of" then
      drawn = math.random(tonumber(order[2]))
    elseif what == "fail" then
      reached = reached + tonumber(order[3])
      if drawn <= reached then return answer(txn, tonumber(order[2])) end
    elseif what == "full" then
      path = order[2]
    elseif what == "prefix" then
      path = replaced(txn.sf:path(), order[2], order[3])
    elseif what == "redirect" then
      return answer(txn, tonumber(order[2]), location(txn, order, path or txn.sf:path()))
    elseif what == "host" then
      http:req_set_header("host", order[2])
    elseif what == "qs" then
      http:req_set_header(order[2], order[3])
    elseif what == "qa" then
      http:req_add_header(order[2], order[3])
    elseif what == "qd" then
      http:req_del_header(order[2])
    else
      later = true
    end
  end
  if path then http:req_set_path(path) end
  if later then txn:set_var("txn.answer", txn:get_var("txn.filter")) end
end)

-- Does to an answer what its rule's filters say.
core.register_action("answer", { "http-res" }, function(txn)
  local http = txn.http
  for _, order in ipairs(orders(txn:get_var("txn.answer"))) do
    local what = order[1]
    if what == "rs" then
      http:res_set_header(order[2], order[3])
    elseif what == "ra" then
      http:res_add_header(order[2], order[3])
    elseif what == "rd" then
      http:res_del_header(order[2])
    end
  end
end)
