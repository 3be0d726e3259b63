/* <nanomsg/tls.h>: TLS, for the transports tls+tcp and wss.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_TLS_H
#define NANOMSG_TLS_H

/* Option level of TLS. */
#define NN_TLS -6

/* Certificates that are trusted, in PEM form, added to those before; empty: none. */
#define NN_TLS_CA 1

/* The own certificate, and those between it and its CA, in PEM form. */
#define NN_TLS_CERT 2

/* The private key of the own certificate, in PEM form. It cannot be read. */
#define NN_TLS_KEY 3

/* Certificate revocation lists in PEM form, added to those before; empty: none. */
#define NN_TLS_CRL 4

/* The path of a file of certificates that are trusted. */
#define NN_TLS_CA_FILE 5

/* The path of a file with the own certificate. */
#define NN_TLS_CERT_FILE 6

/* The path of a file with the private key; unset: it is in the file of the certificate. */
#define NN_TLS_KEY_FILE 7

/* The path of a file of certificate revocation lists. */
#define NN_TLS_CRL_FILE 8

/* Whether the peer must show a certificate: one of the values below. -1, or never set:
 * required of a peer that this socket connects to, and none of one that connects to it.
 */
#define NN_TLS_AUTH 9

/* The name that the certificate of a server must have; unset: that in the address. */
#define NN_TLS_SERVER_NAME 10

/* The least version of TLS. */
#define NN_TLS_MIN_VERSION 11

/* The greatest version of TLS. */
#define NN_TLS_MAX_VERSION 12

/* 1: the certificates that the system trusts are trusted. */
#define NN_TLS_SYSTEM_ROOTS 13

/* To be set to an endpoint: it reads its files again, for new connections. */
#define NN_TLS_RELOAD 14

/* The peer's certificate is not verified, or not asked for. */
#define NN_TLS_AUTH_NONE 0

/* A peer without a certificate is accepted, one with an invalid one is not. */
#define NN_TLS_AUTH_OPTIONAL 1

/* The peer must show a valid certificate. */
#define NN_TLS_AUTH_REQUIRED 2

/* TLS 1.2. */
#define NN_TLS_1_2 771

/* TLS 1.3. */
#define NN_TLS_1_3 772

#endif  /* NANOMSG_TLS_H */
