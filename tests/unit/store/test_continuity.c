/* SPDX-License-Identifier: MIT
 *
 * identity_may_continue against a model that knows the bytes themselves: every history is written out
 * as a tree of branches in which a byte is known by the branch it was written on, and a replica may
 * continue where its bytes are ours.
 */
#include "relay/store/identity.h"

#include "test.h"

enum { IDS = 4, LENGTH = 5 };

/* The stream as one id's holder has it: who wrote each byte. */
struct branch {
    unsigned writer[LENGTH + 1];
};

static struct replid id_of(unsigned number)
{
    struct replid id = replid_none();
    memset(id.hex, (char)('a' + number), REPLID_DIGITS);
    return id;
}

/* Our own stream: id k takes over at joint[k - 1], each not before the one before it. A replica under
 * id k has ours up to where k + 1 took over, and then k's own. */
static void write_branches(const uint64_t joints[IDS - 1], struct branch branches[IDS])
{
    for (unsigned id = 0; id < IDS; id++) {
        for (uint64_t i = 0; i <= LENGTH; i++) {
            unsigned writer = 0;
            while (writer < id && i >= joints[writer])
                writer++;
            branches[id].writer[i] = writer;
        }
    }
}

static enum continuity expected(const struct branch branches[IDS], unsigned ours, unsigned id,
                                uint64_t first, uint64_t end, uint64_t offset)
{
    if (id > ours)
        return CONTINUITY_STRANGE;
    for (uint64_t i = 0; i < offset; i++) {
        if (branches[id].writer[i] != branches[ours].writer[i])
            return CONTINUITY_STRANGE;
    }
    if (offset < first)
        return CONTINUITY_GONE;
    return offset > end ? CONTINUITY_AHEAD : CONTINUITY_YES;
}

static void compare(const uint64_t joints[IDS - 1], unsigned ours, uint64_t first, uint64_t end)
{
    struct branch branches[IDS];
    write_branches(joints, branches);
    struct replid id = id_of(0);
    struct identity identity;
    identity_init(&identity, &id);
    for (unsigned i = 1; i <= ours; i++) {
        id = id_of(i);
        identity_rename(&identity, &id, joints[i - 1]);
    }
    for (unsigned asked = 0; asked < IDS; asked++) {
        for (uint64_t offset = 0; offset <= LENGTH; offset++) {
            id = id_of(asked);
            enum continuity got = identity_may_continue(&identity, first, end, &id, offset);
            enum continuity wanted = expected(branches, ours, asked, first, end, offset);
            if (got != wanted)
                fail_msg("joints %u %u %u, ours %u, window %u..%u, asked %u at %u: got %d, "
                         "expected %d",
                         (unsigned)joints[0], (unsigned)joints[1], (unsigned)joints[2], ours,
                         (unsigned)first, (unsigned)end, asked, (unsigned)offset, (int)got,
                         (int)wanted);
        }
    }
}

TEST(a_replica_continues_where_its_bytes_are_ours)
{
    for (uint64_t a = 0; a <= LENGTH; a++) {
        for (uint64_t b = a; b <= LENGTH; b++) {
            for (uint64_t c = b; c <= LENGTH; c++) {
                const uint64_t joints[] = {a, b, c};
                for (unsigned ours = 0; ours < IDS; ours++) {
                    uint64_t least = ours == 0 ? 0 : joints[ours - 1];
                    for (uint64_t end = least; end <= LENGTH; end++) {
                        for (uint64_t first = 0; first <= end; first++)
                            compare(joints, ours, first, end);
                    }
                }
            }
        }
    }
}

TEST(after_a_rewind_no_id_reaches_beyond_it)
{
    for (uint64_t joint = 0; joint <= LENGTH; joint++) {
        for (uint64_t cut = 0; cut <= LENGTH; cut++) {
            struct replid a = id_of(0);
            struct replid b = id_of(1);
            struct replid c = id_of(2);
            struct identity identity;
            identity_init(&identity, &a);
            identity_rename(&identity, &b, joint);
            identity_rewind(&identity, cut);
            identity_rename(&identity, &c, cut);
            for (uint64_t offset = 0; offset <= LENGTH; offset++) {
                enum continuity of_a = identity_may_continue(&identity, 0, LENGTH, &a, offset);
                enum continuity of_b = identity_may_continue(&identity, 0, LENGTH, &b, offset);
                uint64_t least = joint < cut ? joint : cut;
                assert_int_equal(of_a, offset <= least ? CONTINUITY_YES : CONTINUITY_STRANGE);
                assert_int_equal(of_b, offset <= cut ? CONTINUITY_YES : CONTINUITY_STRANGE);
            }
        }
    }
}

TEST(an_unknown_id_is_strange)
{
    struct replid a = id_of(0);
    struct replid none = replid_none();
    struct identity identity;
    identity_init(&identity, &a);
    for (uint64_t offset = 0; offset < 4; offset++)
        assert_int_equal(identity_may_continue(&identity, 0, 3, &none, offset), CONTINUITY_STRANGE);
}
