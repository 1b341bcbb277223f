-- How many elements the sets in KEYS have.
local sizes = {}
for index, key in ipairs(KEYS) do
  sizes[index] = redis.call('SCARD', key)
end
return sizes
