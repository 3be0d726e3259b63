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

/* Offset of the error numbers that belong to this library alone, and of the fallbacks for
 * numbers that a platform lacks. It comes before them for those who read macros one by one.
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

/* In place of a length: the buffer is a pointer to a pointer to a message of nn_allocmsg. */
#define NN_MSG ((size_t) -1)

/* A length, rounded up to whole words. */
#define NN_CMSG_ALIGN_(len) \
    (((len) + sizeof (size_t) - 1) & ~(sizeof (size_t) - 1))
/* Bytes that a control message with `len` bytes of data takes in a control buffer. */
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
/* The control message behind another one, or NULL. */
#define NN_CMSG_NXTHDR(mhdr, cmsg) \
    nn_cmsg_nxthdr_ ((const struct nn_msghdr*) (mhdr), (const struct nn_cmsghdr*) (cmsg))

/* The version of the C interface. */
#define NN_VERSION_CURRENT 6

/* The revision of that version. */
#define NN_VERSION_REVISION 1

/* How many earlier versions this one can stand in for. */
#define NN_VERSION_AGE 0

/* Domain of sockets that run their protocol in full. */
#define AF_SP 1

/* Domain of raw sockets, which show the protocol header and leave the protocol to the caller. */
#define AF_SP_RAW 2

/* Size of the longest address, its terminating zero included. */
#define NN_SOCKADDR_MAX 128

/* Level of the options that every socket has. Protocols have levels above it, transports below. */
#define NN_SOL_SOCKET 0

/* Milliseconds that closing may take to deliver what was sent; -1: as long as it takes. */
#define NN_LINGER 1

/* Bytes that may wait to be sent to one peer. */
#define NN_SNDBUF 2

/* Bytes that may wait to be received from one peer. */
#define NN_RCVBUF 3

/* Milliseconds after which a blocked send gives up; -1: never. */
#define NN_SNDTIMEO 4

/* Milliseconds after which a blocked receive gives up; -1: never. */
#define NN_RCVTIMEO 5

/* Milliseconds to wait before a lost connection is tried again. */
#define NN_RECONNECT_IVL 6

/* Milliseconds that this wait may grow to by doubling; 0: it does not grow. */
#define NN_RECONNECT_IVL_MAX 7

/* Priority for sending of endpoints created from now on, 1 (first) to 16 (last). */
#define NN_SNDPRIO 8

/* Priority for receiving of endpoints created from now on, 1 (first) to 16 (last). */
#define NN_RCVPRIO 9

/* Descriptor that is readable as long as a send would not block. Only to be read. */
#define NN_SNDFD 10

/* Descriptor that is readable as long as a receive would not block. Only to be read. */
#define NN_RCVFD 11

/* The socket's domain. Only to be read. */
#define NN_DOMAIN 12

/* The socket's protocol. Only to be read. */
#define NN_PROTOCOL 13

/* 1: addresses are IPv4 addresses; 0: they may be IPv6 addresses as well. */
#define NN_IPV4ONLY 14

/* A name for the socket, shown in error reports; at most 63 bytes. */
#define NN_SOCKET_NAME 15

/* Size in bytes of the largest message that is let in; -1: any size. */
#define NN_RCVMAXSIZE 16

/* Number of hops after which a message is dropped, 1 to 255. */
#define NN_MAXTTL 17

/* Flag of the send and receive calls: fail with EAGAIN instead of blocking. */
#define NN_DONTWAIT 1

/* Level of the control messages that belong to the protocols. */
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

/* Endpoints that are in an error state. */
#define NN_STAT_CURRENT_EP_ERRORS 203

/* Messages sent. */
#define NN_STAT_MESSAGES_SENT 301

/* Messages received. */
#define NN_STAT_MESSAGES_RECEIVED 302

/* Bytes of message bodies sent. */
#define NN_STAT_BYTES_SENT 303

/* Bytes of message bodies received. */
#define NN_STAT_BYTES_RECEIVED 304

/* Priority of the peers that messages are being sent to. */
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

/* Namespace of a symbol: option levels that are neither. */
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

/* Type of a symbol that is no option. */
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

/* A constant of this interface, described. */
struct nn_symbol_properties {
    /* Its value. */
    int value;
    /* Its name. */
    const char *name;
    /* The NN_NS_ constant that says what it is. */
    int ns;
    /* The NN_TYPE_ constant of an option, else NN_TYPE_NONE. */
    int type;
    /* The NN_UNIT_ constant of an option, else NN_UNIT_NONE. */
    int unit;
};

/* One run of bytes of a message. */
struct nn_iovec {
    /* Its first byte; with a length of NN_MSG, a pointer to a pointer to the message. */
    void *iov_base;
    /* Its length in bytes, or NN_MSG. */
    size_t iov_len;
};

/* A message in several runs of bytes, with control messages. */
struct nn_msghdr {
    /* The runs of the body. */
    struct nn_iovec *msg_iov;
    /* Their number. */
    int msg_iovlen;
    /* The buffer of the control messages, or NULL; with a length of NN_MSG, a pointer to a
     * pointer to it.
     */
    void *msg_control;
    /* The buffer's length in bytes, or NN_MSG. */
    size_t msg_controllen;
};

/* The beginning of a control message. Its data follow. */
struct nn_cmsghdr {
    /* Length in bytes of this structure and the data. */
    size_t cmsg_len;
    /* Whose control message it is: PROTO_SP, or the level of a transport. */
    int cmsg_level;
    /* Which of theirs it is. */
    int cmsg_type;
};

/* What is asked about one socket, and the answer. */
struct nn_pollfd {
    /* The socket's id. */
    int fd;
    /* The events asked for: NN_POLLIN, NN_POLLOUT or both. */
    short events;
    /* Those of them that have come. */
    short revents;
};

#ifdef __cplusplus
extern "C" {
#endif

/* The error number of the calling thread's last failed call, the same as errno.
 *
 * For programs whose C runtime library is not the one that this library uses.
 */
NN_EXPORT int nn_errno(void);

/* A text for an error number. Never NULL.
 *
 * The text must not be changed or freed. One for a number that the system does not know is
 * valid until the thread asks for the next.
 */
NN_EXPORT const char *nn_strerror(int errnum);

/* Steps through the constants of this interface: returns the name of number `i`, from 0 on, and
 * writes its value to `value` unless that is NULL.
 *
 * Past the end: NULL with EINVAL.
 *
 * The caller promises:
 * `value` must be NULL or point to a number.
 */
NN_EXPORT const char *nn_symbol(int i, int *value);

/* Describes number `i`, from 0 on, of the constants of this interface; returns the number of
 * bytes written to `buf`, which are at most `buflen`.
 *
 * Past the end: 0.
 *
 * The caller promises:
 * `buf` must point to `buflen` writable bytes, or be NULL.
 */
NN_EXPORT int nn_symbol_info(int i, struct nn_symbol_properties *buf, int buflen);

/* Closes every socket, and lets no new one be opened: nn_socket fails with ETERM from now on.
 *
 * Calls that are blocked in other threads end with EBADF. The sockets are closed together, and
 * each has the time of its NN_LINGER from the same moment on. Before the first nn_socket of a
 * process the call does nothing. Meant for a program that is about to end.
 */
NN_EXPORT void nn_term(void);

/* Allocates memory for a message of `size` bytes; `type` must be 0.
 *
 * The memory belongs to the caller until nn_freemsg, or until it was sent with NN_MSG as its
 * length. Returns NULL with ENOMEM (no memory) or EINVAL (no such type).
 */
NN_EXPORT void *nn_allocmsg(size_t size, int type);

/* Changes the size of a message, and perhaps its address; returns the address.
 *
 * The bytes up to the smaller of both sizes stay as they are; a message that shrinks stays in
 * its place. Returns NULL with EFAULT (not a message) or ENOMEM (no memory); the old message is
 * then left as it was.
 *
 * The caller promises:
 * `msg` must come from nn_allocmsg, nn_reallocmsg or a receive with NN_MSG, and not have been
 * given back since; or be NULL.
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
 * Waits until what was sent is delivered, for at most the time of NN_LINGER: 1000 milliseconds
 * if it was not set, none if it is 0. Calls of other threads on the socket end with EBADF.
 */
NN_EXPORT int nn_close(int s);

/* Sets an option; returns 0, or -1.
 *
 * `level` is NN_SOL_SOCKET, a protocol or a transport. Fails with EBADF (no such socket),
 * EFAULT (no value, but a length), ENOPROTOOPT (no such option) or EINVAL (a value out of
 * range, or of the wrong length).
 *
 * The caller promises:
 * `optval` must point to `optvallen` bytes, or be NULL.
 */
NN_EXPORT int nn_setsockopt(int s, int level, int option, const void *optval, size_t optvallen);

/* Reads an option; returns 0, or -1.
 *
 * At most `*optvallen` bytes are written to `optval`; then `*optvallen` is set to the length
 * that the value really has. A text is followed by a zero where there is room for it, which
 * does not count. Fails with EBADF (no such socket), EFAULT (a NULL pointer) or ENOPROTOOPT (no
 * such option).
 *
 * The caller promises:
 * `optvallen` must point to a number, and `optval` to that many bytes; either may be NULL.
 */
NN_EXPORT int nn_getsockopt(int s, int level, int option, void *optval, size_t *optvallen);

/* Adds an endpoint that others can connect to; returns its id (1 or more), or -1.
 *
 * An address is `inproc://name`, `ipc://path`, `tcp://interface:port` or `ws://interface:port`.
 * Fails with EBADF (no such socket), EINVAL (not an address), ENAMETOOLONG (NN_SOCKADDR_MAX or
 * more bytes), EPROTONOSUPPORT (no such transport), ENODEV (no such interface), EADDRINUSE, or
 * what the system says.
 *
 * The caller promises:
 * `addr` must be a text that ends with a zero, or NULL.
 */
NN_EXPORT int nn_bind(int s, const char *addr);

/* Adds an endpoint that connects to others, now or when they are there; returns its id (1 or
 * more), or -1.
 *
 * An address is `inproc://name`, `ipc://path`, `tcp://[local;]host:port` or
 * `ws://[local;]host[:port][/path]`. A connection that is lost is made again. Fails with EBADF
 * (no such socket), EINVAL (not an address), ENAMETOOLONG (NN_SOCKADDR_MAX or more bytes),
 * EPROTONOSUPPORT (no such transport) or ENODEV (no such interface).
 *
 * The caller promises:
 * `addr` must be a text that ends with a zero, or NULL.
 */
NN_EXPORT int nn_connect(int s, const char *addr);

/* Removes an endpoint, with its connections; returns 0, or -1.
 *
 * The call does not wait: what was sent is delivered in the background, within NN_LINGER.
 * `how` is the id that nn_bind or nn_connect returned. Fails with EBADF (no such socket) or
 * EINVAL (no such endpoint).
 */
NN_EXPORT int nn_shutdown(int s, int how);

/* Sends a message; returns its length, or -1.
 *
 * With `len` NN_MSG, `buf` is a pointer to a pointer to a message of nn_allocmsg: if it is sent
 * it belongs to the library, if not, to the caller as before. `flags` is 0 or NN_DONTWAIT.
 * Fails with EBADF (no such socket, or closed meanwhile), EFAULT (no message), EMSGSIZE (longer
 * than INT_MAX), ENOTSUP (the socket cannot send), EFSM (not now), EAGAIN (NN_DONTWAIT),
 * ETIMEDOUT (NN_SNDTIMEO is over), EINTR (a signal came) or ENOMEM.
 *
 * The caller promises:
 * `buf` must point to `len` bytes, or, if that is NN_MSG, to a pointer to a message of the
 * caller's; or be NULL.
 */
NN_EXPORT int nn_send(int s, const void *buf, size_t len, int flags);

/* Receives a message; returns its length, or -1.
 *
 * At most `len` bytes are written to `buf`; the length returned is the message's even so. With
 * `len` NN_MSG, the message's address is written to the pointer that `buf` points to, and the
 * caller frees it with nn_freemsg. `flags` is 0 or NN_DONTWAIT. Fails with EBADF (no such
 * socket, or closed meanwhile), EFAULT (no buffer), ENOTSUP (the socket cannot receive), EFSM
 * (not now), EAGAIN (NN_DONTWAIT), ETIMEDOUT (NN_RCVTIMEO is over), EINTR (a signal came) or
 * ENOMEM (NN_MSG only: the message is lost).
 *
 * The caller promises:
 * `buf` must point to `len` writable bytes, or, if that is NN_MSG, to a pointer; or be NULL.
 */
NN_EXPORT int nn_recv(int s, void *buf, size_t len, int flags);

/* Sends a message whose body lies in several places, with control messages; returns the length
 * of the body, or -1.
 *
 * A control message SP_HDR of level PROTO_SP is the protocol header of a raw socket; one
 * NN_WS_MSG_TYPE of level NN_WS says in its first byte what the message is sent as over ws. If
 * the body, which then must be the only run, or the control buffer is given with NN_MSG as its
 * length, it belongs to the library once the message is sent, and to the caller as before if
 * not. Fails as nn_send, and with EINVAL (no header, NN_MSG among several runs, lengths whose
 * sum is too large, or an unknown type) or EMSGSIZE (a negative number of runs).
 *
 * The caller promises:
 * `msghdr` must be NULL or valid: each pointer in it NULL, or good for as many bytes or entries
 * as it says, or, for NN_MSG, pointing to a pointer to a message of the caller's.
 */
NN_EXPORT int nn_sendmsg(int s, const struct nn_msghdr *msghdr, int flags);

/* Receives a message into several places, with control messages; returns the length of the
 * body, or -1.
 *
 * The protocol header is written to the control buffer as a control message SP_HDR of level
 * PROTO_SP, if it has room for it, and behind it the type of a message that came over ws as one
 * NN_WS_MSG_TYPE of level NN_WS. If the body, which then must be the only run, or the control
 * buffer has NN_MSG as its length, its address is written to the pointer that the header points
 * to, and the caller frees it with nn_freemsg. Fails as nn_recv, and with EINVAL (no header, or
 * NN_MSG among several runs) or EMSGSIZE (a negative number of runs).
 *
 * The caller promises:
 * `msghdr` must be NULL or valid: each pointer in it NULL, or good for as many writable bytes
 * or entries as it says, or, for NN_MSG, pointing to a pointer.
 */
NN_EXPORT int nn_recvmsg(int s, struct nn_msghdr *msghdr, int flags);

/* Steps through the control messages of `mhdr`: the one behind `cmsg`, or the first if that is
 * NULL; NULL if there is no further one. Called by NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR.
 *
 * The caller promises:
 * `mhdr` must be NULL or point to a header with a valid control buffer, and `cmsg` be NULL or
 * point into that buffer.
 */
NN_EXPORT
struct nn_cmsghdr *nn_cmsg_nxthdr_(const struct nn_msghdr *mhdr,
                                   const struct nn_cmsghdr *cmsg);

/* Waits until one of the events asked for has come; returns the number of sockets for which one
 * has, 0 when the time is over, or -1.
 *
 * `timeout` is in milliseconds; 0 does not wait, a negative one waits for ever. An entry that
 * asks for nothing is passed over. Fails with EBADF (an id is no socket), EFAULT (no list),
 * EINVAL (a negative count), EINTR (a signal came) or ENOPROTOOPT (a socket cannot do what it
 * is asked about at all); no answer is written then.
 *
 * The caller promises:
 * `fds` must point to `nfds` entries, or be NULL.
 */
NN_EXPORT int nn_poll(struct nn_pollfd *fds, int nfds, int timeout);

/* Forwards messages between two raw sockets of one pattern, with their protocol headers; does
 * not return before that fails, and then returns -1.
 *
 * What one of them receives, the other one sends, and the other way round if they have that
 * direction. With a negative id as one of the sockets, the other one sends back what it receives
 * itself. A message is received only when it can be sent. Fails with EBADF (no such socket, or
 * closed meanwhile), EINVAL (a socket is not raw, or they do not fit each other), ENOTSUP (a
 * single socket that does not both send and receive), EINTR (a signal came; in
 * two directions it goes on) or ETIMEDOUT (NN_RCVTIMEO or NN_SNDTIMEO of a socket is over).
 */
NN_EXPORT int nn_device(int s1, int s2);

/* The value of one of the NN_STAT_ counters of a socket, or (uint64_t) -1 on error.
 *
 * Fails with EBADF (no such socket) or EINVAL (no such statistic).
 */
NN_EXPORT uint64_t nn_get_statistic(int s, int stat);

#ifdef __cplusplus
}
#endif

#endif  /* NANOMSG_NN_H */
