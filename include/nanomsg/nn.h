/* <nanomsg/nn.h>: sockets and messages.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_NN_H
#define NANOMSG_NN_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* How the functions are declared. A program may define this itself. */
#if !defined(NN_EXPORT)
#    if defined(_WIN32) && defined(NN_SHARED_LIB) && !defined(NN_STATIC_LIB)
#        define NN_EXPORT __declspec(dllexport)
#    elif defined(_WIN32) && !defined(NN_STATIC_LIB)
#        define NN_EXPORT __declspec(dllimport)
#    else
#        define NN_EXPORT extern
#    endif
#endif

/* Offset of the error numbers that only this library has, and of those that a platform lacks.
 * It comes before them for tools that read macros one by one.
 */
#define NN_HAUSNUMERO 156384712

/* Error numbers that <errno.h> may lack. */
#ifndef ENOTSUP
#define ENOTSUP (NN_HAUSNUMERO + 1)
#endif
#ifndef EPROTONOSUPPORT
#define EPROTONOSUPPORT (NN_HAUSNUMERO + 2)
#endif
#ifndef ENOBUFS
#define ENOBUFS (NN_HAUSNUMERO + 3)
#endif
#ifndef ENETDOWN
#define ENETDOWN (NN_HAUSNUMERO + 4)
#endif
#ifndef EADDRINUSE
#define EADDRINUSE (NN_HAUSNUMERO + 5)
#endif
#ifndef EADDRNOTAVAIL
#define EADDRNOTAVAIL (NN_HAUSNUMERO + 6)
#endif
#ifndef ECONNREFUSED
#define ECONNREFUSED (NN_HAUSNUMERO + 7)
#endif
#ifndef EINPROGRESS
#define EINPROGRESS (NN_HAUSNUMERO + 8)
#endif
#ifndef ENOTSOCK
#define ENOTSOCK (NN_HAUSNUMERO + 9)
#endif
#ifndef EAFNOSUPPORT
#define EAFNOSUPPORT (NN_HAUSNUMERO + 10)
#endif
#ifndef EPROTO
#define EPROTO (NN_HAUSNUMERO + 11)
#endif
#ifndef EAGAIN
#define EAGAIN (NN_HAUSNUMERO + 12)
#endif
#ifndef EBADF
#define EBADF (NN_HAUSNUMERO + 13)
#endif
#ifndef EINVAL
#define EINVAL (NN_HAUSNUMERO + 14)
#endif
#ifndef EMFILE
#define EMFILE (NN_HAUSNUMERO + 15)
#endif
#ifndef EFAULT
#define EFAULT (NN_HAUSNUMERO + 16)
#endif
#ifndef EACCES
#define EACCES (NN_HAUSNUMERO + 17)
#endif
#ifndef EACCESS
#define EACCESS (EACCES)
#endif
#ifndef ENETRESET
#define ENETRESET (NN_HAUSNUMERO + 18)
#endif
#ifndef ENETUNREACH
#define ENETUNREACH (NN_HAUSNUMERO + 19)
#endif
#ifndef EHOSTUNREACH
#define EHOSTUNREACH (NN_HAUSNUMERO + 20)
#endif
#ifndef ENOTCONN
#define ENOTCONN (NN_HAUSNUMERO + 21)
#endif
#ifndef EMSGSIZE
#define EMSGSIZE (NN_HAUSNUMERO + 22)
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT (NN_HAUSNUMERO + 23)
#endif
#ifndef ECONNABORTED
#define ECONNABORTED (NN_HAUSNUMERO + 24)
#endif
#ifndef ECONNRESET
#define ECONNRESET (NN_HAUSNUMERO + 25)
#endif
#ifndef ENOPROTOOPT
#define ENOPROTOOPT (NN_HAUSNUMERO + 26)
#endif
#ifndef EISCONN
#define EISCONN (NN_HAUSNUMERO + 27)
#define NN_EISCONN_DEFINED
#endif
#ifndef ESOCKTNOSUPPORT
#define ESOCKTNOSUPPORT (NN_HAUSNUMERO + 28)
#endif

/* The library was terminated. */
#ifndef ETERM
#define ETERM (NN_HAUSNUMERO + 53)
#endif
/* The protocol does not allow this in its present state. */
#ifndef EFSM
#define EFSM (NN_HAUSNUMERO + 54)
#endif

/* In place of a length: the buffer is a pointer to a pointer to a message from nn_allocmsg. */
#define NN_MSG ((size_t) -1)

/* A length rounded up to whole words. */
#define NN_CMSG_ALIGN_(len) \
    (((len) + sizeof (size_t) - 1) & ~(sizeof (size_t) - 1))
/* The space in a control buffer, in bytes, for a control message with `len` bytes of data. */
#define NN_CMSG_SPACE(len) \
    (NN_CMSG_ALIGN_ (sizeof (struct nn_cmsghdr)) + NN_CMSG_ALIGN_ (len))
/* The cmsg_len of a control message with `len` bytes of data. */
#define NN_CMSG_LEN(len) \
    (NN_CMSG_ALIGN_ (sizeof (struct nn_cmsghdr)) + (len))
/* The first byte of a control message's data. */
#define NN_CMSG_DATA(cmsg) \
    ((unsigned char*) ((struct nn_cmsghdr*) (cmsg) + 1))
/* The first control message of a header, or NULL. */
#define NN_CMSG_FIRSTHDR(mhdr) \
    nn_cmsg_nxthdr_ ((const struct nn_msghdr*) (mhdr), NULL)
/* The control message after another one, or NULL. */
#define NN_CMSG_NXTHDR(mhdr, cmsg) \
    nn_cmsg_nxthdr_ ((const struct nn_msghdr*) (mhdr), (const struct nn_cmsghdr*) (cmsg))

/* The version of the C interface. */
#define NN_VERSION_CURRENT 6

/* The revision of that version. */
#define NN_VERSION_REVISION 1

/* The number of earlier versions that this one is compatible with. */
#define NN_VERSION_AGE 0

/* Domain of sockets that run their protocol in full. */
#define AF_SP 1

/* Domain of raw sockets: the program reads and writes the protocol headers itself. */
#define AF_SP_RAW 2

/* Size in bytes of the longest address, including its terminating zero. */
#define NN_SOCKADDR_MAX 128

/* Level of the options that every socket has. Levels of protocols are greater, of transports less. */
#define NN_SOL_SOCKET 0

/* Milliseconds for which closing a socket goes on delivering what was sent; -1: without limit. */
#define NN_LINGER 1

/* Size in bytes of the send queue of each peer. */
#define NN_SNDBUF 2

/* Size in bytes of the receive queue of each peer. */
#define NN_RCVBUF 3

/* Milliseconds after which a blocked send fails with ETIMEDOUT; -1: never. */
#define NN_SNDTIMEO 4

/* Milliseconds after which a blocked receive fails with ETIMEDOUT; -1: never. */
#define NN_RCVTIMEO 5

/* Milliseconds to wait before connecting again. */
#define NN_RECONNECT_IVL 6

/* Upper limit in milliseconds of this wait, which doubles with each failure; 0: it stays the same. */
#define NN_RECONNECT_IVL_MAX 7

/* Send priority of endpoints added afterwards, 1 (highest) to 16. */
#define NN_SNDPRIO 8

/* Receive priority of endpoints added afterwards, 1 (highest) to 16. */
#define NN_RCVPRIO 9

/* Descriptor that is readable while a send would not block. Read-only. */
#define NN_SNDFD 10

/* Descriptor that is readable while a receive would not block. Read-only. */
#define NN_RCVFD 11

/* The socket's domain. Read-only. */
#define NN_DOMAIN 12

/* The socket's protocol. Read-only. */
#define NN_PROTOCOL 13

/* 1: only IPv4 addresses are used; 0: IPv6 addresses too. */
#define NN_IPV4ONLY 14

/* A name for the socket, shown in error reports; at most 63 bytes. */
#define NN_SOCKET_NAME 15

/* Size in bytes of the largest message that is accepted from a peer; -1: no limit. */
#define NN_RCVMAXSIZE 16

/* Number of hops after which a message is dropped, 1 to 255. */
#define NN_MAXTTL 17

/* Flag of the send and receive functions: fail with EAGAIN instead of blocking. */
#define NN_DONTWAIT 1

/* Level of the control messages of protocols. */
#define PROTO_SP 1

/* Control message with a protocol header: its length as a size_t, then its bytes. */
#define SP_HDR 1

/* Event: a message can be received without blocking. */
#define NN_POLLIN 1

/* Event: a message can be sent without blocking. */
#define NN_POLLOUT 2

/* Connections that nn_connect made. */
#define NN_STAT_ESTABLISHED_CONNECTIONS 101

/* Connections that nn_bind accepted. */
#define NN_STAT_ACCEPTED_CONNECTIONS 102

/* Connections that this side closed. */
#define NN_STAT_DROPPED_CONNECTIONS 103

/* Connections that the other side closed. */
#define NN_STAT_BROKEN_CONNECTIONS 104

/* Attempts to connect that failed. */
#define NN_STAT_CONNECT_ERRORS 105

/* Attempts to bind that failed. */
#define NN_STAT_BIND_ERRORS 106

/* Attempts to accept that failed. */
#define NN_STAT_ACCEPT_ERRORS 107

/* Connections that are up. */
#define NN_STAT_CURRENT_CONNECTIONS 201

/* Connections that are being made. */
#define NN_STAT_INPROGRESS_CONNECTIONS 202

/* Endpoints that failed and have had no connection since. */
#define NN_STAT_CURRENT_EP_ERRORS 203

/* Messages sent. */
#define NN_STAT_MESSAGES_SENT 301

/* Messages received. */
#define NN_STAT_MESSAGES_RECEIVED 302

/* Bytes of message bodies sent. */
#define NN_STAT_BYTES_SENT 303

/* Bytes of message bodies received. */
#define NN_STAT_BYTES_RECEIVED 304

/* Send priority of the peer that gets the next message. */
#define NN_STAT_CURRENT_SND_PRIORITY 401

/* Namespace of a symbol: the namespaces themselves. */
#define NN_NS_NAMESPACE 0

/* Namespace of a symbol: versions of the interface. */
#define NN_NS_VERSION 1

/* Namespace of a symbol: domains. */
#define NN_NS_DOMAIN 2

/* Namespace of a symbol: transports, which are option levels too. */
#define NN_NS_TRANSPORT 3

/* Namespace of a symbol: protocols, which are option levels too. */
#define NN_NS_PROTOCOL 4

/* Namespace of a symbol: other option levels. */
#define NN_NS_OPTION_LEVEL 5

/* Namespace of a symbol: options of every socket. */
#define NN_NS_SOCKET_OPTION 6

/* Namespace of a symbol: options of a transport or a protocol. */
#define NN_NS_TRANSPORT_OPTION 7

/* Namespace of a symbol: types of options. */
#define NN_NS_OPTION_TYPE 8

/* Namespace of a symbol: units of options. */
#define NN_NS_OPTION_UNIT 9

/* Namespace of a symbol: flags. */
#define NN_NS_FLAG 10

/* Namespace of a symbol: error numbers. */
#define NN_NS_ERROR 11

/* Namespace of a symbol: limits. */
#define NN_NS_LIMIT 12

/* Namespace of a symbol: events of nn_poll. */
#define NN_NS_EVENT 13

/* Namespace of a symbol: statistics. */
#define NN_NS_STATISTIC 14

/* Type of a symbol that is not an option. */
#define NN_TYPE_NONE 0

/* Type of an option: an int. */
#define NN_TYPE_INT 1

/* Type of an option: bytes, or text. */
#define NN_TYPE_STR 2

/* Unit of a symbol that has none. */
#define NN_UNIT_NONE 0

/* Unit: bytes. */
#define NN_UNIT_BYTES 1

/* Unit: milliseconds. */
#define NN_UNIT_MILLISECONDS 2

/* Unit: a priority, 1 to 16. */
#define NN_UNIT_PRIORITY 3

/* Unit: 0 or 1. */
#define NN_UNIT_BOOLEAN 4

/* Unit: messages. */
#define NN_UNIT_MESSAGES 5

/* Unit: a count of events. */
#define NN_UNIT_COUNTER 6

/* The description of a constant of this interface. */
struct nn_symbol_properties {
    /* Its value. */
    int value;
    /* Its name. */
    const char *name;
    /* Its namespace, an NN_NS_ constant. */
    int ns;
    /* For an option, its NN_TYPE_ constant, else NN_TYPE_NONE. */
    int type;
    /* For an option or a statistic, its NN_UNIT_ constant, else NN_UNIT_NONE. */
    int unit;
};

/* A buffer with a part of a message. */
struct nn_iovec {
    /* Its first byte; if its length is NN_MSG, a pointer to a pointer to the message. */
    void *iov_base;
    /* Its length in bytes, or NN_MSG. */
    size_t iov_len;
};

/* A message whose body lies in several buffers, with control messages. */
struct nn_msghdr {
    /* The buffers of the body. */
    struct nn_iovec *msg_iov;
    /* The number of buffers. */
    int msg_iovlen;
    /* The control buffer, or NULL; if its length is NN_MSG, a pointer to a pointer to it. */
    void *msg_control;
    /* The length in bytes of the control buffer, or NN_MSG. */
    size_t msg_controllen;
};

/* The header of a control message; its data follow. */
struct nn_cmsghdr {
    /* Length in bytes of this structure and the data. */
    size_t cmsg_len;
    /* The level: PROTO_SP, or a transport. */
    int cmsg_level;
    /* The type within the level, such as SP_HDR. */
    int cmsg_type;
};

/* The events to wait for on one socket, and those that are present. */
struct nn_pollfd {
    /* The socket's id. */
    int fd;
    /* The events to wait for: NN_POLLIN, NN_POLLOUT or both. */
    short events;
    /* Those of them that are present. */
    short revents;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Returns errno of the calling thread.
 *
 * For programs that use another C runtime library than this library, and so another errno.
 */
NN_EXPORT int nn_errno(void);

/* Returns the text for an error number; never NULL.
 *
 * The text must not be changed or freed. The text for a number that the system does not know is
 * valid until the thread's next call.
 */
NN_EXPORT const char *nn_strerror(int errnum);

/* Returns the name of the constant with index `i`, from 0 on, and writes its value to `value`
 * unless that is NULL.
 *
 * Returns NULL with EINVAL past the last one.
 *
 * The caller promises:
 * `value` must be NULL or point to a number.
 */
NN_EXPORT const char *nn_symbol(int i, int *value);

/* Writes the description of the constant with index `i`, from 0 on, to `buf`; returns the number
 * of bytes written, which is at most `buflen`.
 *
 * Returns 0 past the last one.
 *
 * The caller promises:
 * `buf` must point to `buflen` writable bytes, or be NULL.
 */
NN_EXPORT int nn_symbol_info(int i, struct nn_symbol_properties *buf, int buflen);

/* Closes all sockets; from now on nn_socket fails with ETERM.
 *
 * Calls that are blocked in other threads fail with EBADF. All sockets are closed at the same
 * time, so that their NN_LINGER times run in parallel. Before the process's first nn_socket the
 * call does nothing. Meant for a program that is about to end.
 */
NN_EXPORT void nn_term(void);

/* Allocates memory for a message of `size` bytes; `type` must be 0.
 *
 * The caller owns the memory until it calls nn_freemsg, or sends the message with NN_MSG as its
 * length. Fails with NULL and ENOMEM (no memory) or EINVAL (no such type).
 */
NN_EXPORT void *nn_allocmsg(size_t size, int type);

/* Changes the size of a message, and possibly its address; returns the address.
 *
 * The bytes up to the smaller of the two sizes are kept; a message that shrinks is not moved.
 * Fails with NULL and EFAULT (not a message) or ENOMEM (no memory); the message is then left
 * unchanged.
 *
 * The caller promises:
 * `msg` must come from nn_allocmsg, nn_reallocmsg or a receive with NN_MSG, and must not have been
 * freed or sent; or be NULL.
 */
NN_EXPORT void *nn_reallocmsg(void *msg, size_t size);

/* Frees a message; returns 0, or -1 with EFAULT (not a message).
 *
 * The caller promises:
 * As nn_reallocmsg.
 */
NN_EXPORT int nn_freemsg(void *msg);

/* Opens a socket and returns its id, or -1.
 *
 * `domain` is AF_SP or AF_SP_RAW, `protocol` one of the protocol numbers such as NN_REQ. Fails
 * with EAFNOSUPPORT (no such domain), EMFILE (too many sockets), EINVAL (no such protocol) or
 * ETERM (after nn_term).
 */
NN_EXPORT int nn_socket(int domain, int protocol);

/* Closes a socket; returns 0, or -1 with EBADF.
 *
 * Waits until messages already sent are delivered, for at most NN_LINGER milliseconds: 1000 by
 * default; 0: do not wait. Calls of other threads on the socket fail with EBADF.
 */
NN_EXPORT int nn_close(int s);

/* Sets an option; returns 0, or -1.
 *
 * `level` is NN_SOL_SOCKET, a protocol or a transport. Fails with EBADF (no such socket),
 * EFAULT (`optval` is NULL and `optvallen` not 0), ENOPROTOOPT (no such option) or EINVAL (the
 * value is out of range, or has the wrong length).
 *
 * The caller promises:
 * `optval` must point to `optvallen` bytes, or be NULL.
 */
NN_EXPORT int nn_setsockopt(int s, int level, int option, const void *optval, size_t optvallen);

/* Reads an option; returns 0, or -1.
 *
 * At most `*optvallen` bytes are written to `optval`; then `*optvallen` is set to the full length
 * of the value. A text is followed by a zero if there is room; the length does not include it.
 * Fails with EBADF (no such socket), EFAULT (a NULL pointer), ENOPROTOOPT (no such option) or
 * EINVAL (the option has an argument, which is invalid).
 *
 * The caller promises:
 * `optvallen` must point to a number, and `optval` to that many bytes; either may be NULL.
 */
NN_EXPORT int nn_getsockopt(int s, int level, int option, void *optval, size_t *optvallen);

/* Adds an endpoint that peers connect to; returns its id (1 or more), or -1.
 *
 * An address is `inproc://name`, `ipc://path`, `tcp://interface:port` or `ws://interface:port`; the
 * manual names further forms. With port 0 the system chooses one: see NN_ENDPOINT_ADDRESS.
 * Fails with EBADF (no such socket), EINVAL (not an address), ENAMETOOLONG (NN_SOCKADDR_MAX or
 * more bytes), EPROTONOSUPPORT (no such transport), ENODEV (no such interface), EADDRINUSE, or
 * another error of the operating system.
 *
 * The caller promises:
 * `addr` must be a text that ends with a zero, or NULL.
 */
NN_EXPORT int nn_bind(int s, const char *addr);

/* Adds an endpoint that connects to a peer; returns its id (1 or more), or -1.
 *
 * The call does not wait for the peer, unless NN_CONNECT_TIMEO is set. The library goes on trying to
 * connect, and reconnects when the connection is lost. An address is `inproc://name`, `ipc://path`, `tcp://[local;]host:port`
 * or `ws://[local;]host[:port][/path]`. Fails with EBADF (no such socket), EINVAL (not an
 * address), ENAMETOOLONG (NN_SOCKADDR_MAX or more bytes), EPROTONOSUPPORT (no such transport) or
 * ENODEV (no such interface).
 *
 * The caller promises:
 * `addr` must be a text that ends with a zero, or NULL.
 */
NN_EXPORT int nn_connect(int s, const char *addr);

/* Removes an endpoint and its connections; returns 0, or -1.
 *
 * The call does not wait: messages already sent are delivered in the background, within NN_LINGER.
 * `how` is the id that nn_bind or nn_connect returned. Fails with EBADF (no such socket) or
 * EINVAL (no such endpoint).
 */
NN_EXPORT int nn_shutdown(int s, int how);

/* Sends a message; returns its length, or -1.
 *
 * If `len` is NN_MSG, `buf` is a pointer to a pointer to a message from nn_allocmsg. Once sent it
 * belongs to the library; if the call fails it still belongs to the caller. `flags` is 0 or
 * NN_DONTWAIT. Fails with EBADF (no such socket, or it was closed during the call), EFAULT (not a
 * message), EMSGSIZE (longer than INT_MAX), ENOTSUP (the protocol cannot send), EFSM (it cannot
 * send in its present state), EAGAIN (NN_DONTWAIT was given and the call would block), ETIMEDOUT
 * (NN_SNDTIMEO has passed), EINTR (a signal handler ran) or ENOMEM.
 *
 * The caller promises:
 * `buf` must point to `len` bytes, or, if that is NN_MSG, to a pointer to a message of the
 * caller's; or be NULL.
 */
NN_EXPORT int nn_send(int s, const void *buf, size_t len, int flags);

/* Receives a message; returns its length, or -1.
 *
 * At most `len` bytes are written to `buf`; the full length of the message is returned in any
 * case. If `len` is NN_MSG, the message's address is written to the pointer that `buf` points to,
 * and the caller frees the message with nn_freemsg. `flags` is 0 or NN_DONTWAIT. Fails with EBADF
 * (no such socket, or it was closed during the call), EFAULT (no buffer), ENOTSUP (the protocol
 * cannot receive), EFSM (it cannot receive in its present state), EAGAIN (NN_DONTWAIT was given
 * and the call would block), ETIMEDOUT (NN_RCVTIMEO has passed), EINTR (a signal handler ran) or
 * ENOMEM (with NN_MSG only: the message is lost).
 *
 * The caller promises:
 * `buf` must point to `len` writable bytes, or, if that is NN_MSG, to a pointer; or be NULL.
 */
NN_EXPORT int nn_recv(int s, void *buf, size_t len, int flags);

/* Sends a message from several buffers, with control messages; returns the length of the body, or
 * -1.
 *
 * A control message SP_HDR of level PROTO_SP is the protocol header of a raw socket; the first
 * byte of a control message NN_WS_MSG_TYPE of level NN_WS is the message's type over ws. If the
 * only buffer of the body, or the control buffer, has the length NN_MSG, it belongs to the library
 * once the message is sent; if the call fails it still belongs to the caller. Fails as nn_send,
 * and with EINVAL (no header, NN_MSG for one of several buffers, a total length that is too large,
 * or an unknown type) or EMSGSIZE (a negative number of buffers).
 *
 * The caller promises:
 * `msghdr` must be NULL or valid: each pointer in it NULL, or valid for the given number of bytes
 * or entries, or, for NN_MSG, pointing to a pointer to a message of the caller's.
 */
NN_EXPORT int nn_sendmsg(int s, const struct nn_msghdr *msghdr, int flags);

/* Receives a message into several buffers, with control messages; returns the length of the body,
 * or -1.
 *
 * The protocol header is written to the control buffer, if there is room, as a control message
 * SP_HDR of level PROTO_SP; after it the type of a message that came over ws, as a control message
 * NN_WS_MSG_TYPE of level NN_WS; after it, if NN_PEER_INFO of nanomsg/ext.h is set, control
 * messages that describe the peer. If the only buffer of the body, or the control buffer, has the
 * length NN_MSG, the library allocates it and writes its address to the pointer that iov_base or
 * msg_control points to; the caller frees it with nn_freemsg. Fails as nn_recv, and with EINVAL
 * (no header, or NN_MSG for one of several buffers) or EMSGSIZE (a negative number of buffers).
 *
 * The caller promises:
 * `msghdr` must be NULL or valid: each pointer in it NULL, or valid for the given number of
 * writable bytes or entries, or, for NN_MSG, pointing to a pointer.
 */
NN_EXPORT int nn_recvmsg(int s, struct nn_msghdr *msghdr, int flags);

/* Returns the control message of `mhdr` after `cmsg`, or the first one if `cmsg` is NULL; NULL if
 * there are no more. Called by NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR.
 *
 * The caller promises:
 * `mhdr` must be NULL or point to a header with a valid control buffer, and `cmsg` be NULL or
 * point into that buffer.
 */
NN_EXPORT struct nn_cmsghdr *nn_cmsg_nxthdr_(const struct nn_msghdr *mhdr, const struct nn_cmsghdr *cmsg);

/* Waits for events on several sockets; returns the number of sockets with an event, 0 after the
 * timeout, or -1.
 *
 * `timeout` is in milliseconds; 0: do not wait; negative: no limit. An entry without events is
 * ignored. Fails with EBADF (an id is not a socket), EFAULT (no list), EINVAL (a negative count),
 * EINTR (a signal handler ran) or ENOPROTOOPT (a socket's protocol cannot send, or receive, at
 * all); no `revents` is written then.
 *
 * The caller promises:
 * `fds` must point to `nfds` entries, or be NULL.
 */
NN_EXPORT int nn_poll(struct nn_pollfd *fds, int nfds, int timeout);

/* Forwards messages between two raw sockets of one pattern, with their protocol headers; returns
 * only when it fails, and then -1.
 *
 * Messages received from each socket are sent to the other, as far as their protocols receive and
 * send. If one of the ids is negative, messages received from the other socket are sent back to
 * it. A message is received only when it can be sent. Fails with EBADF (no such socket, or it was
 * closed during the call), EINVAL (a socket is not raw, or the protocols do not match), ENOTSUP (a
 * single socket that cannot both send and receive), EINTR (a signal handler ran; a device that
 * forwards in both directions goes on) or ETIMEDOUT (NN_RCVTIMEO or NN_SNDTIMEO has passed).
 */
NN_EXPORT int nn_device(int s1, int s2);

/* Returns the value of one of a socket's NN_STAT_ statistics, or (uint64_t) -1 on error.
 *
 * Fails with EBADF (no such socket) or EINVAL (no such statistic).
 */
NN_EXPORT uint64_t nn_get_statistic(int s, int stat);

#ifdef __cplusplus
}
#endif

#endif  /* NANOMSG_NN_H */
