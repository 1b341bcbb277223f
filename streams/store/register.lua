-- Registers the definitions in force, and counts versions up.
-- KEYS: definitions. ARGV: segment, fingerprint, ...
-- Gives: segment, version, ... of all segments ever registered
--
-- A segment that is gone keeps its version and loses its fingerprint, so that it differs when it comes back.

if #ARGV % 2 ~= 0 then
  error('register: a fingerprint is missing')
end
local fingerprints, versions = {}, {}
local stored = redis.call('HGETALL', KEYS[1])
for at = 1, #stored, 2 do
  local kind, segment = string.match(stored[at], '^(%l+):(.*)$')
  if kind == 'version' then
    versions[segment] = stored[at + 1]
  else
    fingerprints[segment] = stored[at + 1]
  end
end

for at = 1, #ARGV, 2 do
  local segment, fingerprint = ARGV[at], ARGV[at + 1]
  if fingerprints[segment] ~= fingerprint then
    redis.call('HSET', KEYS[1], 'fingerprint:' .. segment, fingerprint)
    versions[segment] = tostring(redis.call('HINCRBY', KEYS[1], 'version:' .. segment, 1))
  end
  fingerprints[segment] = nil
end
for segment in pairs(fingerprints) do
  redis.call('HDEL', KEYS[1], 'fingerprint:' .. segment)
end

local answer = {}
for segment, version in pairs(versions) do
  answer[#answer + 1] = segment
  answer[#answer + 1] = version
end
return answer
