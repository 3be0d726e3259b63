/* Sends messages from one thread to another, for benches/lines.
 *
 *     lines ADDRESS COUNT SIZE
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>

static int count, size;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, nn_strerror(nn_errno()));
    exit(1);
}

static void *receive_all(void *argument)
{
    char *buffer = malloc(size);
    int s = *(int *)argument;
    for (int i = 0; i < count; i++)
        if (nn_recv(s, buffer, size, 0) != size)
            fail("nn_recv");
    free(buffer);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: lines ADDRESS COUNT SIZE\n");
        return 2;
    }
    count = atoi(argv[2]);
    size = atoi(argv[3]);
    int pull = nn_socket(AF_SP, NN_PULL), push = nn_socket(AF_SP, NN_PUSH);
    if (pull < 0 || push < 0 || nn_bind(pull, argv[1]) < 0 || nn_connect(push, argv[1]) < 0)
        fail(argv[1]);
    pthread_t receiver;
    if (pthread_create(&receiver, NULL, receive_all, &pull))
        return 1;
    char *message = calloc(1, size);
    for (int i = 0; i < count; i++)
        if (nn_send(push, message, size, 0) != size)
            fail("nn_send");
    pthread_join(receiver, NULL);
    nn_close(push);
    nn_close(pull);
    free(message);
    return 0;
}
