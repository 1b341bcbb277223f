-- Takes the fence of a partition and reads what its owner must know, in one moment; or only reads.
-- KEYS: state, offsets, meta, outbox, wakes. ARGV: 1 to take the fence, 0 to leave it
-- Gives: fence, clock or false, newest outbox sequence, offsets, meta, outbox entries, the earliest wake

local stored = redis.call('HMGET', KEYS[1], 'fence', 'clock', 'outbox')
local offsets = redis.call('HGETALL', KEYS[2])
local meta = redis.call('HGETALL', KEYS[3])
local outbox = redis.call('LRANGE', KEYS[4], 0, -1)
local wake = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')

if ARGV[1] == '0' then
  return {stored[1] or '0', stored[2], stored[3] or '0', offsets, meta, outbox, wake}
end

-- A mere counter would give a number out twice where this Redis is put back to an older copy of itself,
-- and the owner from before could then commit beside the new one. Microseconds do not come again.
local time = redis.call('TIME')
local fence = math.max(tonumber(stored[1] or 0) + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
fence = string.format('%.0f', fence)

redis.call('HSET', KEYS[1], 'fence', fence, 'done', '0')
return {fence, stored[2], stored[3] or '0', offsets, meta, outbox, wake}
