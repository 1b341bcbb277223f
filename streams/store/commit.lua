-- One batch of one partition: all of it, or nothing.
--
-- KEYS: state, offsets, meta, counts, contacts, wakes, outbox, then a set of members for each group below
-- ARGV: fence, number, clock, trim, how many due contacts to name, how many outbox entries (0 or 1),
--       how many arguments there are of offsets, meta, counts, contacts, wakes, wakes to remove,
--       how many groups of contacts that enter and that exit,
--       then these in this order: topic, expected, new | name, value | counter, added | contact, record |
--       wake, contact | contact | for each group: how many, contacts | outbox entry
-- Gives: 'done', newest outbox sequence, the earliest wake, contacts that are due at the clock
--        | 'fence' | 'number', stored | 'offset', topic, stored
--
-- Redis takes nothing back when a script fails half way. So everything that could fail is read first, which also
-- finds keys of a wrong type; a full memory or a disk error is met by the first write, or never.

local HEADER = 14
local AT_ONCE = 4000 -- arguments to one command: unpack() gives up at about 8000; even, to keep pairs together
local EXACT = 2 ^ 53 - 1 -- integers beyond may be rounded

local function fail(text)
  error('commit: ' .. text)
end

local function integer(text, what)
  local value = string.find(text, '^%-?%d+$') and tonumber(text)
  if not value or math.abs(value) > EXACT then
    fail(what .. ' is no integer')
  end
  return value
end

local function each_of(command, key, first, count)
  local last = first + count - 1
  for from = first, last, AT_ONCE do
    redis.call(command, key, unpack(ARGV, from, math.min(from + AT_ONCE - 1, last)))
  end
end

-- 1. Where the parts begin.
local size = {}
for index = 6, HEADER do
  size[index - 5] = integer(ARGV[index], 'a size')
end
local n_outbox, n_offsets, n_meta, n_counts, n_contacts, n_wakes, n_unwakes = unpack(size, 1, 7)
local n_entered, n_groups = size[8], size[8] + size[9]
local offsets = HEADER + 1
local meta = offsets + n_offsets
local counts = meta + n_meta
local contacts = counts + n_counts
local wakes = contacts + n_contacts
local unwakes = wakes + n_wakes
local groups = unwakes + n_unwakes

-- 2. Is it ours to write, and on the state that it was built on?
local stored = redis.call('HMGET', KEYS[1], 'fence', 'done', 'clock', 'outbox')
local sequence = tonumber(stored[4] or 0)
local clock = integer(ARGV[3], 'the clock')
local most_due = integer(ARGV[5], 'how many to name')
if stored[3] and tonumber(stored[3]) > clock then
  clock = tonumber(stored[3])
end

local function done()
  local wake, due = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES'), {}
  if most_due > 0 and wake[2] and tonumber(wake[2]) < clock then
    due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', string.format('(%.0f', clock), 'LIMIT', 0, most_due)
  end
  return {'done', string.format('%.0f', sequence), wake[2] or false, due}
end

if stored[1] ~= ARGV[1] then
  return {'fence'}
end
if stored[2] == ARGV[2] then
  return done() -- tried again, since its answer was lost
end
local number = integer(ARGV[2], 'the number')
if tonumber(stored[2]) ~= number - 1 then
  return {'number', stored[2]}
end
for at = offsets, meta - 1, 3 do
  local offset = redis.call('HGET', KEYS[2], ARGV[at])
  if offset and offset ~= ARGV[at + 1] then
    return {'offset', ARGV[at], offset}
  end
  integer(ARGV[at + 2], 'an offset')
end

-- 3. Whatever could fail below.
local trim = integer(ARGV[4], 'trim')
for at = counts, contacts - 1, 2 do
  local count = redis.call('HGET', KEYS[4], ARGV[at])
  local sum = integer(ARGV[at + 1], 'what is added') + integer(count or '0', 'a stored count')
  if math.abs(sum) > EXACT then
    fail('a count grows too large')
  end
end
for at = wakes, unwakes - 1, 2 do
  integer(ARGV[at], 'a wake')
end
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('HLEN', KEYS[5])
redis.call('ZCARD', KEYS[6])
local entries = redis.call('LLEN', KEYS[7])
local at = groups
for group = 1, n_groups do
  redis.call('SCARD', KEYS[7 + group])
  at = at + 1 + integer(ARGV[at], 'a size')
end
if at - 1 + n_outbox ~= #ARGV or 7 + n_groups ~= #KEYS then
  fail('sizes do not add up')
end

-- 4. Write. What can be written twice without harm comes first, the rest and the number last.
for from = offsets, meta - 1, 3 do
  redis.call('HSET', KEYS[2], ARGV[from], ARGV[from + 2])
end
each_of('HSET', KEYS[3], meta, n_meta)
each_of('HSET', KEYS[5], contacts, n_contacts)
each_of('ZADD', KEYS[6], wakes, n_wakes)
each_of('ZREM', KEYS[6], unwakes, n_unwakes)
at = groups
for group = 1, n_groups do
  local count = tonumber(ARGV[at])
  each_of(group <= n_entered and 'SADD' or 'SREM', KEYS[7 + group], at + 1, count)
  at = at + 1 + count
end
local gone = math.min(trim - (sequence - entries), entries)
if gone > 0 then
  redis.call('LTRIM', KEYS[7], gone, -1)
end
if n_outbox == 1 then
  redis.call('RPUSH', KEYS[7], ARGV[#ARGV])
  sequence = sequence + 1
end
for from = counts, contacts - 1, 2 do
  redis.call('HINCRBY', KEYS[4], ARGV[from], ARGV[from + 1])
end
redis.call('HSET', KEYS[1], 'done', ARGV[2], 'clock', string.format('%.0f', clock),
  'outbox', string.format('%.0f', sequence))
return done()
