-- Takes the fence of a partition whose state is to be dropped, and leaves of the small things what is given.
-- KEYS: state, meta. ARGV: name, value, ... of the metadata to leave there
--
-- The large things are dropped after it, outside: what is left here says what to think of them meanwhile.

if #ARGV % 2 ~= 0 then
  error('forget: a value is missing')
end
-- The fence as in take.lua: a number that was given out does not come again.
local stored = redis.call('HGET', KEYS[1], 'fence')
local time = redis.call('TIME')
local fence = math.max(tonumber(stored or 0) + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('HDEL', KEYS[2], field)
end
for at = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
redis.call('HDEL', KEYS[1], 'clock', 'outbox')
redis.call('HSET', KEYS[1], 'fence', string.format('%.0f', fence), 'done', '0')
