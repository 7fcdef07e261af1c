/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "findings_private.h"

/* How many expire within that many days. */
static size_t count_expiring(const struct picture *picture, int days)
{
    size_t count = 0;
    for (size_t i = 0; i < picture->certificates->count; i++) {
        const struct tls_certificate *one = &picture->certificates->at[i];
        count += tls_certificate_left_s(one, picture->wall_us) <= (int64_t)days * TLS_DAY_S;
    }
    return count;
}

static bool tell_expiry(const struct picture *picture, size_t count, struct finding *finding)
{
    char left[FINDING_WORD_MAX];
    char others[FINDING_WORD_MAX] = "";
    const struct tls_certificate *first = tls_certificates_soonest(picture->certificates);
    int64_t left_s = tls_certificate_left_s(first, picture->wall_us);
    bool is_own = strcmp(first->setting, "tls-cert-file") == 0;
    finding_time((left_s < 0 ? -left_s : left_s) * 1000, left);
    if (count > 1)
        snprintf(others, sizeof(others), ", and %zu more will soon", count - 1);
    finding_say(finding->what, "The %s %s of [%s] %s %s%s%s.", is_own ? "certificate" : "CA",
                first->subject, first->section, left_s <= 0 ? "expired" : "expires in", left,
                left_s <= 0 ? " ago" : "", others);
    return finding_say(finding->advice,
                       "%s Replace the file that [%s] %s names and send SIGHUP, or use CONFIG SET. "
                       "No connection is closed.",
                       is_own ? "After that no new TLS connection can be made with it."
                              : "After that certificates that it has signed are refused.",
                       first->section, first->setting);
}

bool finds_certificate_expires(const struct picture *picture, struct finding *finding)
{
    size_t count = count_expiring(picture, TLS_EXPIRY_PROBLEM_DAYS);
    return count > 0 && tell_expiry(picture, count, finding);
}

bool finds_certificate_expires_soon(const struct picture *picture, struct finding *finding)
{
    size_t count = count_expiring(picture, TLS_EXPIRY_WARNING_DAYS);
    return count > 0 && count_expiring(picture, TLS_EXPIRY_PROBLEM_DAYS) == 0 &&
           tell_expiry(picture, count, finding);
}
