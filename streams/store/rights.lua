-- Which commands this user may not run. KEYS: a key that is there for this alone. Gives: command, ...
--
-- Each command is called in a way that changes nothing, or whose change is taken back at once. What fails for another
-- reason (a full memory, a replica) is allowed, as rights are looked at before all else.

local key = KEYS[1]
local denied = {}

local function allowed(command, ...)
  local answer = redis.pcall(command, ...)
  local said = type(answer) == 'table' and answer.err
  if said and (string.find(said, 'no permissions to run', 1, true) or string.find(said, "can't run this command", 1, true)) then
    denied[#denied + 1] = command
    return false
  end
  return true
end

allowed('GET', key)
allowed('SET', key, 'x', 'XX')
allowed('TIME')
allowed('HGET', key, 'x')
allowed('HMGET', key, 'x')
allowed('HGETALL', key)
allowed('HKEYS', key)
allowed('HLEN', key)
allowed('HSCAN', key, '0')
if allowed('HDEL', key, 'x') then
  if allowed('HSET', key, 'x', '1') then
    redis.pcall('HDEL', key, 'x')
  end
  if allowed('HINCRBY', key, 'x', '1') then
    redis.pcall('HDEL', key, 'x')
  end
end
allowed('SCARD', key)
if allowed('SREM', key, 'x') and allowed('SADD', key, 'x') then
  redis.pcall('SREM', key, 'x')
end
allowed('ZCARD', key)
allowed('ZRANGE', key, '0', '0')
allowed('ZRANGEBYSCORE', key, '0', '0')
if allowed('ZREM', key, 'x') and allowed('ZADD', key, '1', 'x') then
  redis.pcall('ZREM', key, 'x')
end
allowed('LLEN', key)
allowed('LRANGE', key, '0', '0')
if allowed('LTRIM', key, '1', '0') and allowed('RPUSH', key, 'x') then
  redis.pcall('LTRIM', key, '1', '0')
end
return denied
