/*  Measures a library that speaks the interface of <nanomsg/nn.h>.

        bench latency ADDRESS SIZE COUNT    microseconds from one side to the other (half a round trip, PAIR)
        bench flow    ADDRESS SIZE COUNT    messages per second (PUSH to PULL)

    The two sides are two threads when the address is inproc, and two processes otherwise. What is measured is COUNT
    round trips or messages; a tenth as many go before them, unmeasured. One number is printed.

    Over tcp and ipc the far side is forked off before the first socket. A pipe(2) between the sides is all that they
    use besides the library: the near side says that it has bound, and at the end that everything has arrived. Not
    before that does the far side close its socket, since a library may drop on nn_close what it has not sent yet.  */

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*  Nothing here takes this long: a run that hangs is ended by SIGALRM, in both processes.  */
#define DEADLINE_S 120

struct side {
    int latency; /* else flow */
    const char *address;
    size_t size; /* bytes in a message */
    long warm_up, count;
    int signals; /* this side's end of the pipe */
};

static void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, nn_strerror(nn_errno()));
    _exit(EXIT_FAILURE);
}

static int new_socket(int protocol)
{
    int sock = nn_socket(AF_SP, protocol);
    /*  Messages of every size that is measured must be allowed to pass.  */
    int no_limit = -1;

    if (sock < 0)
        die("nn_socket");
    if (nn_setsockopt(sock, NN_SOL_SOCKET, NN_RCVMAXSIZE, &no_limit, sizeof no_limit) < 0)
        die("nn_setsockopt");
    return sock;
}

static char *new_buffer(size_t size)
{
    char *buffer = malloc(size);

    if (buffer == NULL)
        die("malloc");
    memset(buffer, 'm', size);
    return buffer;
}

static void send_one(int sock, const char *buffer, size_t size)
{
    if (nn_send(sock, buffer, size, 0) != (int)size)
        die("nn_send");
}

static void receive_one(int sock, char *buffer, size_t size)
{
    if (nn_recv(sock, buffer, size, 0) != (int)size)
        die("nn_recv");
}

static void tell(int signals)
{
    if (write(signals, "", 1) != 1)
        die("write");
}

static void wait_for(int signals)
{
    char byte;

    if (read(signals, &byte, 1) != 1)
        die("the near side has gone");
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*  The side that answers, or sends.  */
static void *far_side(void *argument)
{
    const struct side *side = argument;
    char *buffer = new_buffer(side->size);
    int sock = new_socket(side->latency ? NN_PAIR : NN_PUSH);
    long i;

    wait_for(side->signals);
    if (nn_connect(sock, side->address) < 0)
        die(side->address);
    for (i = 0; i < side->warm_up + side->count; i++) {
        if (side->latency)
            receive_one(sock, buffer, side->size);
        send_one(sock, buffer, side->size);
    }
    wait_for(side->signals);
    if (nn_close(sock) < 0)
        die("nn_close");
    free(buffer);
    return NULL;
}

static void round_trips(int sock, char *buffer, size_t size, long count)
{
    for (; count > 0; count--) {
        send_one(sock, buffer, size);
        receive_one(sock, buffer, size);
    }
}

static void receive_many(int sock, char *buffer, size_t size, long count)
{
    for (; count > 0; count--)
        receive_one(sock, buffer, size);
}

/*  The side that binds and measures. In a flow the clock starts at the last message of the warm-up.  */
static void near_side(const struct side *side)
{
    void (*exchange)(int, char *, size_t, long) = side->latency ? round_trips : receive_many;
    char *buffer = new_buffer(side->size);
    int sock = new_socket(side->latency ? NN_PAIR : NN_PULL);
    double start, elapsed;

    if (nn_bind(sock, side->address) < 0)
        die(side->address);
    tell(side->signals);
    exchange(sock, buffer, side->size, side->warm_up);
    start = now_s();
    exchange(sock, buffer, side->size, side->count);
    elapsed = now_s() - start;
    tell(side->signals);

    if (side->latency)
        printf("%.3f\n", elapsed * 1e6 / (double)side->count / 2);
    else
        printf("%.0f\n", (double)side->count / elapsed);
    fflush(stdout);
    if (nn_close(sock) < 0)
        die("nn_close");
    free(buffer);
}

static void in_two_threads(const struct side *near, struct side *far)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, far_side, far) != 0)
        die("pthread_create");
    near_side(near);
    if (pthread_join(thread, NULL) != 0)
        die("pthread_join");
}

static void in_two_processes(const struct side *near, struct side *far)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        /*  Without this the end of the near side would not be the end of the pipe.  */
        close(near->signals);
        alarm(DEADLINE_S);
        far_side(far);
        _exit(EXIT_SUCCESS);
    }
    near_side(near);
    if (waitpid(child, &status, 0) != child || status != 0)
        die("the far side");
}

int main(int argc, char **argv)
{
    struct side near, far;
    int ends[2];

    if (argc != 5 || (strcmp(argv[1], "latency") != 0 && strcmp(argv[1], "flow") != 0) || atol(argv[3]) < 1 ||
        atol(argv[4]) < 1) {
        fprintf(stderr, "usage: bench latency|flow ADDRESS SIZE COUNT\n");
        return EXIT_FAILURE;
    }
    if (pipe(ends) < 0)
        die("pipe");
    alarm(DEADLINE_S);

    near.latency = strcmp(argv[1], "latency") == 0;
    near.address = argv[2];
    near.size = (size_t)atol(argv[3]);
    near.count = atol(argv[4]);
    near.warm_up = near.count / 10 + 1;
    near.signals = ends[1];
    far = near;
    far.signals = ends[0];

    if (strncmp(near.address, "inproc:", 7) == 0)
        in_two_threads(&near, &far);
    else
        in_two_processes(&near, &far);
    return EXIT_SUCCESS;
}
