/* How fast this machine reads memory, by several ways: the roof of what reads a matrix once.

       cc -O3 -march=native -pthread ci/read_roof.c -o read_roof && ./read_roof [MB]

   Each thread, on a core of its own, sums its part of the same array again and again: eight vectors of 64 bytes at a
   time, with software prefetch some KB ahead or none, along one to sixteen streams, from ordinary or from huge pages.
   Printed is the best of 40 times for each way.  A part that fits the last cache of a core's own complex stays there
   between two passes, so that two threads may read more than twice as fast as one: choose MB larger to see the memory.
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef float Vector __attribute__((vector_size(64), aligned(4)));
enum { WIDE = 8, TIMES = 40, MOST = 256 };

static const char *array;
static long part, streams, ahead; /* bytes of a thread, how many streams it reads, bytes of prefetch */
static int threads;
static volatile int turn, done;
static volatile float kept[MOST * 16]; /* so that no sum is left out */

static void read_part(int me) {
  Vector sum[WIDE] = {{0}};
  const long length = part / streams;
  for (long at = 0; at < length; at += WIDE * 64)
    for (long s = 0; s < streams; s++) {
      const char *from = array + me * part + s * length + at;
      for (int i = 0; ahead && i < WIDE; i++) __builtin_prefetch(from + ahead + 64 * i);
      for (int i = 0; i < WIDE; i++) sum[i] += *(const Vector *)(from + 64 * i);
    }
  for (int i = 1; i < WIDE; i++) sum[0] += sum[i];
  for (int i = 0; i < 16; i++) kept[me * 16 + i] = sum[0][i];
}

static void stay(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *worker(void *number) {
  const int me = (int)(long)number;
  stay(me);
  for (int seen = 0;;) {
    while (turn == seen) ;
    seen = turn;
    if (seen < 0) return NULL;
    read_part(me);
    __sync_fetch_and_add(&done, 1);
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double best(void) {
  double least = 1e9;
  for (int i = 0; i < TIMES; i++) {
    const double start = now();
    done = 0;
    turn++;
    read_part(0);
    while (done < threads - 1) ;
    const double passed = now() - start;
    if (passed < least) least = passed;
  }
  return least;
}

int main(int count, char **arguments) {
  const long bytes = (count > 1 ? atol(arguments[1]) : 64) << 20, page = 2 << 20;
  const int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  for (int huge = 0; huge < 2; huge++) {
    char *memory = mmap(NULL, bytes + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    memory = (char *)(((long)memory + page - 1) / page * page);
    madvise(memory, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (long i = 0; i < bytes; i += sizeof(float)) *(float *)(memory + i) = 1;
    array = memory;
    for (threads = 1; threads <= cores && threads <= MOST; threads *= 2) {
      pthread_t started[MOST];
      turn = 0;
      stay(0);
      for (long i = 1; i < threads; i++) pthread_create(&started[i], NULL, worker, (void *)i);
      part = bytes / threads / (16 * WIDE * 64) * (16 * WIDE * 64);
      for (streams = 1; streams <= 16; streams *= 4)
        for (ahead = 0; ahead <= 16384; ahead = ahead ? ahead * 4 : 1024) {
          const double took = best();
          printf("%s pages, %d threads, %2ld streams, prefetch %5ld bytes ahead: %6.3f ms %6.1f GB/s\n",
                 huge ? "huge" : "small", threads, streams, ahead, took * 1e3, part * threads / took / 1e9);
          fflush(stdout);
        }
      turn = -1;
      for (long i = 1; i < threads; i++) pthread_join(started[i], NULL);
    }
  }
  return 0;
}
