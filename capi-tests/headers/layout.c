/*  The public structures: sizes and the places of their members. */

#include <stddef.h>
#include <stdio.h>
#include <nanomsg/nn.h>

#define SIZE(type) printf (#type ": %zu bytes\n", sizeof (type))
#define MEMBER(type, member)                                                   \
    printf (#type "." #member ": at %zu, %zu bytes\n", offsetof (type, member),\
        sizeof (((type *) 0)->member))

int main (void)
{
    SIZE (struct nn_iovec);
    MEMBER (struct nn_iovec, iov_base);
    MEMBER (struct nn_iovec, iov_len);
    SIZE (struct nn_msghdr);
    MEMBER (struct nn_msghdr, msg_iov);
    MEMBER (struct nn_msghdr, msg_iovlen);
    MEMBER (struct nn_msghdr, msg_control);
    MEMBER (struct nn_msghdr, msg_controllen);
    SIZE (struct nn_cmsghdr);
    MEMBER (struct nn_cmsghdr, cmsg_len);
    MEMBER (struct nn_cmsghdr, cmsg_level);
    MEMBER (struct nn_cmsghdr, cmsg_type);
    SIZE (struct nn_pollfd);
    MEMBER (struct nn_pollfd, fd);
    MEMBER (struct nn_pollfd, events);
    MEMBER (struct nn_pollfd, revents);
    SIZE (struct nn_symbol_properties);
    MEMBER (struct nn_symbol_properties, value);
    MEMBER (struct nn_symbol_properties, name);
    MEMBER (struct nn_symbol_properties, ns);
    MEMBER (struct nn_symbol_properties, type);
    MEMBER (struct nn_symbol_properties, unit);
    for (size_t length = 0; length < 20; length++)
        printf ("control of %zu: %zu, %zu\n", length, (size_t) NN_CMSG_SPACE (length),
            (size_t) NN_CMSG_LEN (length));
    return 0;
}
