#define _GNU_SOURCE /* sched_setaffinity, unshare */

#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*  A wait that takes this long hangs.  */
#define DEADLINE_S 30.0

static pid_t workers[MOST_PROCESSES];
static int worker_count;
static pid_t loops[CPU_SETSIZE];
static int loop_count;

static _Noreturn void stop(const char *what, const char *why, int status)
{
    fprintf(stderr, "%s: %s\n", what, why);
    end_workers();
    _exit(status);
}

void die(const char *what, const char *why)
{
    stop(what, why, EXIT_FAILURE);
}

void cannot(const char *why)
{
    stop("cannot", why, CANNOT);
}

void die_errno(const char *what)
{
    die(what, strerror(errno));
}

void *new_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die_errno("mmap");
    return memory;
}

static pid_t fork_child(void (*work)(const void *), const void *argument)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child < 0)
        die_errno("fork");
    if (child == 0) {
        worker_count = loop_count = 0;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            die_errno("prctl");
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        work(argument);
        _exit(EXIT_SUCCESS);
    }
    return child;
}

pid_t fork_worker(void (*work)(const void *), const void *argument)
{
    if (worker_count == MOST_PROCESSES)
        die("fork_worker", "too many processes");
    return workers[worker_count++] = fork_child(work, argument);
}

static void loops_on(const void *argument)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(*(const int *)argument, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        die_errno("sched_setaffinity");
    for (;;)
        ;
}

void start_loops(void)
{
    cpu_set_t all;
    int processor;

    if (sched_getaffinity(0, sizeof all, &all) < 0)
        die_errno("sched_getaffinity");
    for (processor = 0; processor < CPU_SETSIZE; processor++)
        if (CPU_ISSET(processor, &all))
            loops[loop_count++] = fork_child(loops_on, &processor);
}

static void end_children(const pid_t *children, int *count)
{
    int i;

    for (i = 0; i < *count; i++)
        kill(children[i], SIGKILL);
    for (; *count > 0; --*count)
        waitpid(children[*count - 1], NULL, 0);
}

void end_workers(void)
{
    end_children(workers, &worker_count);
    end_children(loops, &loop_count);
}

long raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die_errno("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die_errno("setrlimit");
    return (long)limit.rlim_max;
}

static double clock_s(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        die_errno("clock_gettime");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void nap(double seconds)
{
    struct timespec rest = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (nanosleep(&rest, &rest) < 0)
        if (errno != EINTR)
            die_errno("nanosleep");
}

static void check_workers(void)
{
    int i, status;

    for (i = 0; i < worker_count; i++)
        if (waitpid(workers[i], &status, WNOHANG) != 0) {
            workers[i] = workers[--worker_count];
            stop("measure", "a worker has ended", WIFEXITED(status) && WEXITSTATUS(status) == CANNOT ? CANNOT : EXIT_FAILURE);
        }
}

void watch_until(int (*happened)(const void *), const void *argument, const char *what)
{
    double end = clock_s(CLOCK_MONOTONIC) + DEADLINE_S;

    while (!happened(argument)) {
        check_workers();
        if (clock_s(CLOCK_MONOTONIC) > end)
            die(what, "does not happen");
        nap(0.001);
    }
}

void watch_for(double seconds)
{
    nap(seconds);
    check_workers();
}

/*  Adds up the figures of all threads in the lines of /proc that contain "ctxt_switches:".  */
static long switches_of(pid_t pid)
{
    char path[288], line[128];
    long sum = 0;
    struct dirent *entry;
    DIR *threads;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    threads = opendir(path);
    if (threads == NULL)
        die_errno(path);
    while ((entry = readdir(threads)) != NULL) {
        FILE *status;

        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        /*  A thread that has just ended has no such file, nor have "." and "..".  */
        status = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (status == NULL)
            continue;
        while (fgets(line, sizeof line, status) != NULL) {
            const char *figure = strstr(line, "ctxt_switches:");
            if (figure != NULL)
                sum += atol(figure + strlen("ctxt_switches:"));
        }
        fclose(status);
    }
    closedir(threads);
    return sum;
}

void leave_network(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int sock;

    /*  The superuser needs no namespace of users.  */
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        die_errno("unshare");
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &loopback) != 0)
        die_errno("lo");
    close(sock);
}

static long loopback_bytes(void)
{
    char line[512];
    long bytes = 0;
    FILE *devices = fopen("/proc/self/net/dev", "r");

    if (devices == NULL)
        die_errno("/proc/self/net/dev");
    while (fgets(line, sizeof line, devices) != NULL)
        if (sscanf(line, " lo: %ld", &bytes) == 1)
            break;
    fclose(devices);
    return bytes;
}

void look_at(const struct shared *shared, struct look *look)
{
    clockid_t clock;
    int i;

    look->cpu_s = 0;
    look->switches = 0;
    for (i = 0; i < worker_count; i++) {
        if (clock_getcpuclockid(workers[i], &clock) != 0)
            die("clock_getcpuclockid", "a worker has ended");
        look->cpu_s += clock_s(clock);
        look->switches += switches_of(workers[i]);
    }
    look->realtime_s = clock_s(CLOCK_REALTIME);
    look->monotonic_s = clock_s(CLOCK_MONOTONIC);
    look->wire_bytes = loopback_bytes();
    for (i = 0; i < COUNTERS; i++) {
        look->messages[i] = atomic_load_explicit(&shared->counters[i].messages, memory_order_relaxed);
        look->sequence[i] = atomic_load_explicit(&shared->counters[i].sequence, memory_order_relaxed);
    }
}

void print_measured(long messages, const struct look *begin, const struct look *end, double lost)
{
    printf("%ld\t%.6f\t%.6f\t%ld\t", messages, end->monotonic_s - begin->monotonic_s, end->cpu_s - begin->cpu_s,
           end->switches - begin->switches);
    if (lost < 0)
        printf("-");
    else
        printf("%.6f", lost);
    printf("\t%.6f\t%.6f\t%d", begin->realtime_s, end->realtime_s, (int)getpid());
}

double share_lost(long came, long sent)
{
    return sent > came ? 1.0 - (double)came / (double)sent : 0.0;
}

long resident_bytes(pid_t pid)
{
    char path[32];
    long pages;
    FILE *statm;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    statm = fopen(path, "r");
    if (statm == NULL || fscanf(statm, "%*d %ld", &pages) != 1)
        die_errno(path);
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

char *new_buffer(size_t size)
{
    char *buffer = malloc(size);

    if (buffer == NULL)
        die_errno("malloc");
    memset(buffer, 'm', size);
    return buffer;
}
