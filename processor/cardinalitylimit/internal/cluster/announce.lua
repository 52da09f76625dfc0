-- Announces a gateway and counts the gateways and their configurations.
--
-- KEYS: gateways by the time of their last announcement, configurations likewise.
-- ARGV: 1 gateway, 2 configuration, 3 milliseconds that an announcement is valid, 4 whether the gateway leaves.
-- Reply: gateways, configurations, time in ms, whether this gateway was announced before.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local life = tonumber(ARGV[3])
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('ZADD', KEYS[2], now, ARGV[2])
end
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - life)
  redis.call('PEXPIRE', KEYS[i], life)
end
return {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), now, before and 1 or 0}
