-- Gives numbers to names, once and for all.
-- KEYS: numbers of one kind. ARGV: now (ms), 1 to keep the names that are not given, name, ...
-- Gives: name, number, since (ms), ... of the given names
--
-- A name that is dropped and comes back gets another number: what contacts still keep under the old one is not its.

local now, keep_others = ARGV[1], ARGV[2] == '1'
if not tonumber(now) then
  error('enrol: now is no number')
end
local wanted = {}
for at = 3, #ARGV do
  wanted['name:' .. ARGV[at]] = true
end
if not keep_others then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field ~= 'next' and not wanted[field] then
      redis.call('HDEL', KEYS[1], field)
    end
  end
end
local answer = {}
for at = 3, #ARGV do
  local field = 'name:' .. ARGV[at]
  local stored = redis.call('HGET', KEYS[1], field)
  if not stored then
    stored = string.format('%d', redis.call('HINCRBY', KEYS[1], 'next', 1)) .. ' ' .. now
    redis.call('HSET', KEYS[1], field, stored)
  end
  local number, since = string.match(stored, '^(%d+) (-?%d+)$')
  answer[#answer + 1] = ARGV[at]
  answer[#answer + 1] = number
  answer[#answer + 1] = since
end
return answer
