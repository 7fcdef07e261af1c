/* SPDX-License-Identifier: MIT */
#include "data_commands.h"

#include <string.h>

#include "relay/base/check.h"

static const char reads[] =
    "bitcount bitfield_ro bitpos digest dump eval_ro evalsha_ro exists expiretime fcall_ro "
    "geodist geohash geopos georadius_ro georadiusbymember_ro geosearch get getbit getrange "
    "hexists hexpiretime hget hgetall hkeys hlen hmget hpexpiretime hpttl hrandfield hscan "
    "hstrlen httl hvals keys lcs lindex llen lolwut lpos lrange mget object pexpiretime "
    "pfcount pttl randomkey scan scard sdiff sinter sintercard sismember smembers smismember "
    "sort_ro srandmember sscan strlen substr sunion touch ttl type vcard vdim vemb vgetattr "
    "vinfo vismember vlinks vrandmember vrange vsim xinfo xlen xpending xrange xread "
    "xrevrange zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange "
    "zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank "
    "zscan zscore zunion";

static const char writes[] =
    "append bitfield bitop blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin "
    "copy decr decrby del delex delifeq expire expireat flushall flushdb geoadd georadius "
    "georadiusbymember geosearchstore getdel getex getset hdel hexpire hexpireat hgetdel "
    "hgetex hincrby hincrbyfloat hmset hpersist hpexpire hpexpireat hset hsetex hsetnx incr "
    "incrby incrbyfloat linsert lmove lmpop lpop lpush lpushx lrem lset ltrim migrate move "
    "mset msetex msetnx persist pexpire pexpireat pfadd pfmerge psetex rename renamenx "
    "restore restore-asking rpop rpoplpush rpush rpushx sadd sdiffstore set setbit setex "
    "setnx setrange sinterstore smove sort spop srem sunionstore swapdb unlink vadd vrem "
    "vsetattr xack xackdel xadd xautoclaim xcfgset xclaim xdel xdelex xgroup xreadgroup "
    "xsetid xtrim zadd zdiffstore zincrby zinterstore zmpop zpopmax zpopmin zrangestore zrem "
    "zremrangebylex zremrangebyrank zremrangebyscore zunionstore";

static const char others[] =
    "bgrewriteaof bgsave commandlog debug eval evalsha fcall function monitor save script "
    "spublish ssubscribe sunsubscribe";

static const char clusters[] = "asking cluster readonly readwrite";

static const struct {
    enum data_command kind;
    const char *names;
} lists[] = {
    {DATA_COMMAND_READ, reads},
    {DATA_COMMAND_WRITE, writes},
    {DATA_COMMAND_OTHER, others},
    {DATA_COMMAND_CLUSTER, clusters},
};

/* Is `name` one of the words of the list? Case is ignored. */
static bool has_word(const char *list, struct bytes name)
{
    char word[32];
    for (const char *at = list; *at != '\0'; at += *at == ' ') {
        size_t length = strcspn(at, " ");
        CHECK(length > 0 && length < sizeof(word));
        memcpy(word, at, length);
        word[length] = '\0';
        if (bytes_is(name, word))
            return true;
        at += length;
    }
    return false;
}

enum data_command data_command_find(struct bytes name)
{
    for (size_t i = 0; i < LENGTH_OF(lists); i++) {
        if (has_word(lists[i].names, name))
            return lists[i].kind;
    }
    return DATA_COMMAND_NONE;
}
