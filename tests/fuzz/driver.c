/* driver.c - runs a fuzzer without an engine: samples, and a bounded number of mutations of them
 *
 * Deterministic: the same build meets the same inputs.  SP_FUZZ_RUNS sets how many.
 */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define RUNS 20000
#define ROOM 4096

static const char *const samples[] = {
  "GET /v1/requests/abc?wait=10 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
  "POST /v1/requests HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\nContent-Type: "
  "application/json\r\n\r\n{\"a\":1}",
  "{\"jsonrpc\":\"2.0\",\"id\":\"H:1\",\"method\":\"secret.put\",\"params\":{\"name\":\"x\","
  "\"secret_base64\":\"aGk=\",\"allow\":[\"a\",\"b\"]}}\n",
  "{\"return\": \"no\\r\\n\", \"id\": 2}\r\n",
  "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 2}\r\n",
  "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}}\r\n",
  "s\033[K\033[Dsto\033[K\033[D\033[D\033[Dstop\033[K\r\nno\r\n(qemu) ",
  "QEMU 7.2.0 monitor\r\n(qemu) ",
  "secret-proxy-tree 1\ndisk 4096\ntable none\n"
  "gap tail 0 0000000000000000000000000000000000000000000000000000000000000001\n"
  "part 1 0 4096 0 ext 0000000000000000000000000000000000000000000000000000000000000001\n"
  "inode 1 d 0755 0 0 0 0 - - / -\ninode 1 l 0777 0 0 0 0 - - /%ff%0a a%20b\n"
  "inode 1 f 4644 0 0 5 0 0000000000000000000000000000000000000000000000000000000000000001 "
  "user.x:00 /etc/passwd -\nkept 1 /etc/passwd YTpiCg==\nend 7\n",
  "[1,-2.5e10,true,null,\"\\u00e9\\ud83d\\ude00\\n\",{\"k\":[[[{}]]]}]",
};

static gsize
mutate (GRand *random, guint8 *data, gsize size)
{
  guint changes = (guint) g_rand_int_range (random, 1, 8);

  for (guint i = 0; i < changes && size > 0; i++) {
    gsize at = (gsize) g_rand_int_range (random, 0, (gint32) size);

    switch (g_rand_int_range (random, 0, 4)) {
    case 0:
      data[at] = (guint8) g_rand_int_range (random, 0, 256);
      break;
    case 1:
      data[at] ^= (guint8) (1u << g_rand_int_range (random, 0, 8));
      break;
    case 2:
      size = at;
      break;
    default:
      if (size + (size - at) < ROOM) {
        memmove (data + size, data + at, size - at);
        size += size - at;
      }
    }
  }
  return size;
}

int
main (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (20261123);
  const char *wanted = g_getenv ("SP_FUZZ_RUNS");
  guint64 runs = wanted ? g_ascii_strtoull (wanted, NULL, 10) : RUNS;

  for (guint64 i = 0; i < runs; i++) {
    const char *sample = samples[i % G_N_ELEMENTS (samples)];
    gsize size = strlen (sample);
    g_autofree guint8 *data = g_malloc (ROOM);
    g_autofree guint8 *exact = NULL;

    memcpy (data, sample, size);
    if (i >= G_N_ELEMENTS (samples))
      size = mutate (random, data, size);
    /* Of exactly this size, so that a sanitizer sees a read beyond it. */
    exact = g_memdup2 (data, size);
    (void) LLVMFuzzerTestOneInput (exact ? exact : data, size);
  }
  return EXIT_SUCCESS;
}
