/*  Threads, child processes, and what /proc reports of this process. Included by test.h. */

#ifndef CAPI_PROCESSES_H
#define CAPI_PROCESSES_H

static inline int thread_id (void)
{
    return (int) syscall (SYS_gettid);
}

/*  Whether a thread of this process sleeps in the kernel. */
static inline int is_asleep (int thread)
{
    char path[64], line[512], *state;
    snprintf (path, sizeof (path), "/proc/self/task/%d/stat", thread);
    FILE *file = fopen (path, "re");
    if (!file)
        return 0;
    state = fgets (line, sizeof (line), file) ? strrchr (line, ')') : NULL;
    fclose (file);
    return state && state[1] == ' ' && state[2] == 'S';
}

/*  Whether all other threads of this process sleep in the kernel. */
static inline int others_are_asleep (void)
{
    int all = 1;
    DIR *folder = opendir ("/proc/self/task");
    if (!folder)
        fail ("/proc/self/task: %s", strerror (errno));
    for (struct dirent *entry; (entry = readdir (folder));) {
        int thread = atoi (entry->d_name);
        all = all && (thread == 0 || thread == thread_id () || is_asleep (thread));
    }
    closedir (folder);
    return all;
}

static inline pthread_t start_thread (void *(*body) (void *), void *argument)
{
    pthread_t thread;
    int error = pthread_create (&thread, NULL, body, argument);
    if (error)
        fail ("pthread_create: %s", strerror (error));
    return thread;
}

static inline void join_thread (pthread_t thread)
{
    struct timespec end;
    clock_gettime (CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT_MS / 1000;
    int error = pthread_timedjoin_np (thread, NULL, &end);
    if (error)
        fail ("a thread does not end: %s", strerror (error));
}

static inline pid_t start_process (void)
{
    fflush (stdout);
    pid_t child = fork ();
    if (child < 0)
        fail ("fork: %s", strerror (errno));
    if (child == 0)
        prctl (PR_SET_PDEATHSIG, SIGKILL); /* ends with a test that failed */
    return child;
}

/*  Waits for a child and fails unless it ended with success. */
static inline void join_process (pid_t child)
{
    int status = 0;
    pid_t ended = 0;
    wait_until ((ended = waitpid (child, &status, WNOHANG)) != 0);
    if (ended != child)
        fail ("waitpid: %s", strerror (errno));
    if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
        fail ("a child process ended with status 0x%x", (unsigned) status);
}

/*  The number of entries in a folder below /proc/self. */
static inline int count_entries (const char *path)
{
    int count = 0;
    DIR *folder = opendir (path);
    if (!folder)
        fail ("%s: %s", path, strerror (errno));
    for (struct dirent *entry; (entry = readdir (folder));)
        count += entry->d_name[0] != '.';
    closedir (folder);
    return count;
}

/*  The program's threads. EMULATOR_THREADS is how many of the process are an emulator's. */
static inline int count_threads (void)
{
    const char *others = getenv ("EMULATOR_THREADS");
    return count_entries ("/proc/self/task") - (others ? atoi (others) : 0);
}

/*  The number of open descriptors, including the one that counts them. */
static inline int count_descriptors (void)
{
    return count_entries ("/proc/self/fd");
}

/*  The number that the next descriptor to be opened will have. */
static inline int next_descriptor (void)
{
    int next = dup (STDERR_FILENO);
    if (next < 0 || close (next) != 0)
        fail ("dup: %s", strerror (errno));
    return next;
}

/*  Limits the descriptors of this process to numbers below `limit`, or below the system's limit
    if that is less. Returns the previous limit. */
static inline rlim_t limit_descriptors (rlim_t limit)
{
    struct rlimit descriptors;
    if (getrlimit (RLIMIT_NOFILE, &descriptors) != 0)
        fail ("getrlimit: %s", strerror (errno));
    rlim_t before = descriptors.rlim_cur;
    descriptors.rlim_cur = limit < descriptors.rlim_max ? limit : descriptors.rlim_max;
    if (setrlimit (RLIMIT_NOFILE, &descriptors) != 0)
        fail ("setrlimit: %s", strerror (errno));
    return before;
}

#endif
