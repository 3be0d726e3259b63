/*  Every public function has exactly this type: another declaration of the same name
    must be compatible with the header's. */

#include <nanomsg/nn.h>

int nn_errno (void);
const char *nn_strerror (int);
const char *nn_symbol (int, int *);
int nn_symbol_info (int, struct nn_symbol_properties *, int);
void nn_term (void);
void *nn_allocmsg (size_t, int);
void *nn_reallocmsg (void *, size_t);
int nn_freemsg (void *);
struct nn_cmsghdr *nn_cmsg_nxthdr_ (const struct nn_msghdr *, const struct nn_cmsghdr *);
int nn_socket (int, int);
int nn_close (int);
int nn_setsockopt (int, int, int, const void *, size_t);
int nn_getsockopt (int, int, int, void *, size_t *);
int nn_bind (int, const char *);
int nn_connect (int, const char *);
int nn_shutdown (int, int);
int nn_send (int, const void *, size_t, int);
int nn_recv (int, void *, size_t, int);
int nn_sendmsg (int, const struct nn_msghdr *, int);
int nn_recvmsg (int, struct nn_msghdr *, int);
int nn_poll (struct nn_pollfd *, int, int);
int nn_device (int, int);
uint64_t nn_get_statistic (int, int);

int main (void)
{
    return 0;
}
