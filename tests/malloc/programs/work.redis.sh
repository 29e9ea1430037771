# A Redis server under its own benchmark, then the same keys every time, saved by a forked child.
set -e
rm -f redis.sock dump.rdb
redis-server --port 0 --unixsocket "$PWD/redis.sock" --dir "$PWD" \
    --save '' --appendonly no --enable-debug-command yes --io-threads 2 > server.log 2> server.err &
server=$!
trap 'kill $server 2> /dev/null || :' EXIT
ask() { redis-cli -s redis.sock "$@"; }
for _ in $(seq 1 200); do
    ask ping > /dev/null 2>&1 && break
    sleep 0.05
done
redis-benchmark -s redis.sock -q -n 5000 -c 20 -P 4 -d 300 -r 5000 -t set,get,lpush,lpop,sadd,hset,zadd,mset > benchmark.log
grep -c 'requests per second' benchmark.log
ask flushall
ask eval 'for i = 1, 30000 do redis.call("set", "key" .. i, string.rep("v", i % 500)); redis.call("hset", "hash" .. i % 100, i, i * i) end return redis.call("dbsize")' 0
ask eval 'for i = 1, 30000, 3 do redis.call("del", "key" .. i) end return redis.call("dbsize")' 0
ask debug digest
ask bgsave
for _ in $(seq 1 200); do
    ask info persistence | grep -q 'rdb_bgsave_in_progress:0' && break
    sleep 0.05
done
ask info persistence | grep rdb_last_bgsave_status
ask memory purge
ask debug reload
ask debug digest
ask shutdown nosave
wait $server
cat server.err >&2
