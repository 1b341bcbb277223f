-- Drops what is stored of a partition, and takes its fence.
-- KEYS: state, meta, offsets, counts, contacts, wakes, outbox, then the members of each segment
-- ARGV: name, value, ... of the metadata to leave there
--
-- The fence as in take.lua: a number that was given out does not come again. UNLINK, since to free a million contacts
-- takes a second, in which nobody else would be served.

if #ARGV % 2 ~= 0 then
  error('forget: a value is missing')
end
local stored = redis.call('HGET', KEYS[1], 'fence')
local time = redis.call('TIME')
local fence = math.max(tonumber(stored or 0) + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
for _, key in ipairs(KEYS) do
  redis.call('UNLINK', key)
end
redis.call('HSET', KEYS[1], 'fence', string.format('%.0f', fence), 'done', '0')
for at = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
