-- This script is the only writer of a key's places. All of KEYS are in one hash slot.
--
-- KEYS: header, the sets of the ring (one more than the remembered generations), two hashes of sightings.
-- ARGV: 1 operation, 2 length of a generation in ms, 3 remembered generations, 4 limit, 5 members from which on a stranger
--       must have been active before, 6 whether all gateways have one configuration, 7 and 8 incarnation and version of
--       the key that the caller knows (0: none), 9 generations that strangers wait after a loss, 10... items.
-- Reply: codes (one character for each item), members, time in ms, incarnation, version, whether writes were lost,
--        members one by one (operation fetch).
--
-- A member is in exactly one set, that of the generation that saw it last. The header is a text of numbers: format,
-- generation, incarnation, version, first generation that admits strangers, limit, size of each set of the ring.
local op, length, keep, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local contested, agreed = tonumber(ARGV[5]), ARGV[6] == '1'
local known, seen, waits = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local first, format = 10, 1

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ring = keep + 1
local generation = math.floor(now / length)

local text, header, changed = redis.call('GET', KEYS[1]), {}, false
if text then
  for n in string.gmatch(text, '%d+') do header[#header + 1] = tonumber(n) end
end
if #header ~= 6 + ring or header[1] ~= format or header[2] > generation + 1 then
  header = {format, generation, now, 0, 0, max}
  for i = 1, ring do header[6 + i] = redis.call('SCARD', KEYS[1 + i]) end
  changed = true
end
generation = math.max(generation, header[2]) -- a store that takes over may have an earlier clock

local function slot(g) return g % ring + 1 end
local function set(g) return KEYS[1 + slot(g)] end

if header[2] < generation then -- remove the members that no remembered generation has seen
  local kept = {}
  for g = generation - keep + 1, header[2] do kept[slot(g)] = true end
  for i = 1, ring do
    if not kept[i] and header[6 + i] > 0 then
      redis.call('UNLINK', KEYS[1 + i])
      header[6 + i] = 0
    end
  end
  header[2], changed = generation, true
end

-- If a set was evicted, its size differs from the size in the header. After a failover or a flush, the incarnation differs
-- from the one that a caller knows, or the version is earlier.
local members, lost = 0, false
for i = 1, ring do
  local n = redis.call('SCARD', KEYS[1 + i])
  lost = lost or n ~= header[6 + i]
  header[6 + i] = n
  members = members + n
end
if lost or known == header[3] and seen > header[4] then
  lost, header[3] = true, now -- the other gateways see from the new incarnation that writes were lost
elseif known > 0 and known < header[3] and math.floor(header[3] / length) + keep > generation then
  lost = true
end
if lost then
  header[5], changed = math.max(header[5], generation + waits), true
end

local function update(command, key, items)
  for i = 1, #items, 1000 do redis.call(command, key, unpack(items, i, math.min(i + 999, #items))) end
  if #items > 0 then changed = true end
end

-- found[i] is the generation whose set has item i, or nil.
local items, stamps, found = {}, {}, {}
local step = op == 'ask' and 2 or 1
if op ~= 'fetch' then
  for i = first, #ARGV, step do
    items[#items + 1] = ARGV[i]
    stamps[#stamps + 1] = ARGV[i + 1]
  end
  local open = {}
  for i = 1, #items do open[i] = i end
  for g = generation, generation - keep + 1, -1 do
    if #open > 0 and header[6 + slot(g)] > 0 then
      local names, rest = {}, {}
      for i = 1, #open do names[i] = items[open[i]] end
      local is = redis.call('SMISMEMBER', set(g), unpack(names))
      for i = 1, #open do
        if is[i] == 1 then found[open[i]] = g else rest[#rest + 1] = open[i] end
      end
      open = rest
    end
  end
end

local current = header[6 + slot(generation)]
local enter, leave = {}, {} -- of the current set; leave by generation
local function drop(g, item)
  leave[g] = leave[g] or {}
  table.insert(leave[g], item)
end
local function promote(i)
  if found[i] == generation then return 'm' end
  if agreed and max < header[6] and current >= max then return 'r' end -- the limit was lowered everywhere
  drop(found[i], items[i])
  table.insert(enter, items[i])
  current = current + 1
  return 'm'
end
local function admit(i)
  table.insert(enter, items[i])
  current, members = current + 1, members + 1
end

-- sighted reports whether a stranger was active in an earlier slot of 10 s, and notes the sighting. The hashes take turns
-- of 5 minutes.
local turn, moment = math.floor(now / 300000), math.floor(now / 10000)
local notes, earlier = KEYS[2 + ring + turn % 2], KEYS[2 + ring + (turn + 1) % 2]
local room = math.min(16384, math.max(1024, 8 * max))
local noted
local function sighted(item, stamp)
  local note = redis.call('HGET', notes, item)
  if not note then note = redis.call('HGET', earlier, item) end
  if note then
    local at, with = string.match(note, '^(%d+) (%d+)$')
    if tonumber(at) ~= moment and with ~= stamp then
      redis.call('HDEL', notes, item)
      return true
    end
    return false
  end
  noted = noted or redis.call('HLEN', notes)
  local level = 0
  while level < 16 and noted > room - room / 2 ^ (level + 1) do level = level + 1 end
  if noted < room and tonumber(string.sub(item, -7)) % 2 ^ level < 1 then
    redis.call('HSET', notes, item, moment .. ' ' .. stamp)
    if noted == 0 then redis.call('PEXPIRE', notes, (turn + 2) * 300000 - now) end
    noted = noted + 1
  end
  return false
end

local codes = {}
for i = 1, #items do
  local code = 'r'
  if op == 'return' then
    code = 'x'
    if found[i] == generation then
      drop(generation, items[i])
      members = members - 1
    end
  elseif found[i] then
    code = promote(i)
  elseif op == 'promote' then -- the item has a place at its gateway that the store has lost
    if members < 2 * max then
      admit(i)
      code = 'm'
    end
  elseif stamps[i] == '0' and op == 'ask' then
    code = 'r' -- a stale point gets no place
  elseif generation < header[5] then
    code = 'w'
  elseif members < max then
    code = 'a'
    if op == 'ask' and members >= contested and not sighted(items[i], stamps[i]) then code = 's' end
    if code == 'a' then admit(i) end
  end
  codes[i] = code
end

for g, gone in pairs(leave) do
  update('SREM', set(g), gone)
  if g ~= generation then header[6 + slot(g)] = header[6 + slot(g)] - #gone end
end
if leave[generation] then current = current - #leave[generation] end
if #enter > 0 then
  local fresh = header[6 + slot(generation)] == 0
  update('SADD', set(generation), enter)
  if fresh then redis.call('PEXPIRE', set(generation), (keep + 1) * length) end
end
header[6 + slot(generation)] = current
if max > header[6] or (agreed and max < header[6] and members <= max) then
  header[6], changed = max, true
end
if changed then
  header[4] = header[4] + 1
  for i = 1, #header do header[i] = string.format('%.0f', header[i]) end
  redis.call('SET', KEYS[1], table.concat(header, ' '), 'PX', (keep + 1) * length)
end

local all = {}
if op == 'fetch' and members <= tonumber(ARGV[first]) then
  codes = {}
  for g = generation - keep + 1, generation do
    for _, m in ipairs(redis.call('SMEMBERS', set(g))) do all[#all + 1] = m end
  end
end
return {table.concat(codes), members, now, tonumber(header[3]), tonumber(header[4]), lost and 1 or 0, all}
