/* SPDX-License-Identifier: MIT
 *
 * Certificates for the tests, made when they are needed: authorities, and what they have signed, as
 * PEM files.
 */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

struct issuer;

enum { ISSUER_DAYS = 30 };

/* An authority that has signed itself, for ISSUER_DAYS or another time; its certificate goes to `path`. */
struct issuer *issuer_new(const char *name, const char *path);
struct issuer *issuer_new_for(const char *name, int days, const char *path);
void issuer_free(struct issuer **issuer);

/* Signs a certificate that is valid from an hour ago (or `days` ago where that is negative) for that
 * many days; `names` as in "DNS:relay.test,IP:127.0.0.1", or NULL. */
void issuer_issue(const struct issuer *issuer, const char *name, const char *names, int days,
                  const char *certificate_path, const char *key_path);

#endif
