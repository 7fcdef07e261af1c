/* SPDX-License-Identifier: MIT */
#include "info_sections.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "component.h"
#include "info_moment.h"
#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/net/tls_certificates.h"

/* Under Valkey's names: of our side for replicas, of our side for the primary, and of all CAs the one that
 * expires first. */
static void report_valkey_certificate(struct report *report, const char *name,
                                      const struct tls_certificate *one, int64_t wall_us)
{
    char field[64];
    if (one == NULL)
        return;
    snprintf(field, sizeof(field), "tls_%s_cert_serial", name);
    report_text(report, field, "%s", one->serial);
    snprintf(field, sizeof(field), "tls_%s_cert_expires_in_seconds", name);
    report_i64(report, field, tls_certificate_left_s(one, wall_us));
}

/* The one of the section, NULL for all, that is a CA or is none and expires first. */
static const struct tls_certificate *first_to_expire(const struct tls_certificates *all,
                                                     const char *section, bool is_ca)
{
    const struct tls_certificate *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct tls_certificate *one = &all->at[i];
        bool is_wanted = (section == NULL || strcmp(one->section, section) == 0) &&
                         (strcmp(one->setting, "tls-cert-file") != 0) == is_ca;
        if (is_wanted && (first == NULL || one->expires_s < first->expires_s))
            first = one;
    }
    return first;
}

void info_tls(const struct info_moment *moment, struct report *report)
{
    const struct tls_certificates *all = moment->commands->callbacks.certificates;
    int64_t wall_us = clock_wall_us();
    if (all == NULL || all->count == 0)
        return;
    report_section(report, "TLS");
    report_valkey_certificate(report, "server", first_to_expire(all, "downstream", false), wall_us);
    report_valkey_certificate(report, "client", first_to_expire(all, "upstream", false), wall_us);
    report_valkey_certificate(report, "ca", first_to_expire(all, NULL, true), wall_us);
    for (size_t i = 0; i < all->count; i++) {
        const struct tls_certificate *one = &all->at[i];
        char field[48];
        snprintf(field, sizeof(field), "tls_certificate%zu", i);
        report_text(report, field,
                    "section=%s,setting=%s,expires_in_seconds=%" PRId64 ",serial=%s,subject=%s",
                    one->section, one->setting, tls_certificate_left_s(one, wall_us), one->serial,
                    one->subject);
    }
}
