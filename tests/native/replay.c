/* Runs a vector file through the kernel: `replay FILE` prints the hash of every state and output; `replay FILE write TRAIL`
 * keeps the hash after each record; `replay FILE check TRAIL` stops with 1 at the first record that differs. The same
 * program on x86-64, aarch64 and armhf, of every compiler and optimisation, must print the same. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "door.h"
#include "vectors.h"

enum { CRC_MAX_BYTES = 40 };

tw_wish_t replay_wish; /* what wish_stub.c answers, where it stands in for the wish half */
tw_view_t replay_view; /* and what it was shown */

static uint64_t mix(uint64_t hash, const void *from, size_t size_bytes)
{
    const unsigned char *bytes = from;
    for (size_t i = 0; i + 8 <= size_bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
        hash ^= hash >> 29;
    }
    for (size_t i = size_bytes & ~(size_t)7; i < size_bytes; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001B3U;
    }
    return hash;
}

/* What takes no state: tables and the CRC, for every index and some beyond. */
static uint64_t mix_tables(uint64_t hash)
{
    for (int32_t i = -2; i < 70; i++) {
        for (int32_t j = -2; j < 16; j++) {
            uint32_t next = tw_next_mode((uint32_t)i, (uint32_t)j);
            hash = mix(hash, &next, sizeof next);
        }
        tw_cause_row_t rows[2];
        memset(rows, 0, sizeof rows);
        rows[0] = tw_site_row(i);
        rows[1] = tw_unit_row(i);
        hash = mix(hash, rows, sizeof rows);
    }
    uint8_t bytes[CRC_MAX_BYTES];
    for (int32_t i = 0; i < CRC_MAX_BYTES; i++) {
        uint16_t crc = tw_crc16(bytes, i);
        hash = mix(hash, &crc, sizeof crc);
        bytes[i] = (uint8_t)(i * 37 + crc);
    }
    return hash;
}

/* Each by itself, so that a sanitizer sees a step from one into the next. */
static tw_config_t config;
static tw_state_t state;
static tw_output_t output;
static record_step_t step;
static record_write_t write;

static uint64_t mix_state(uint64_t hash)
{
    return mix(hash, &state, sizeof state);
}

static uint64_t mix_init(uint64_t hash)
{
    int32_t status = tw_init(&config, &state);
    return mix(mix_state(hash), &status, sizeof status);
}

static void patch_state(const unsigned char *bytes)
{
    record_patch_t patch;
    memcpy(&patch, bytes, sizeof patch);
    unsigned char *part = patch.of_unit ? (unsigned char *)state.unit : (unsigned char *)&state;
    memcpy(part + patch.offset_bytes, &patch.value, patch.size_bytes);
}

static void show_mode(int32_t mode)
{
    for (int32_t i = 0; mode >= 0 && i < TW_UNITS; i++) {
        output.mode = output.unit[i].mode = (uint32_t)mode;
    }
}

static uint64_t mix_record(uint64_t hash, record_head_t head, const unsigned char *bytes)
{
    record_word_t word;
    switch (head.kind) {
    case RECORD_CONFIG:
        memcpy(&config, bytes, sizeof config);
        return mix_init(hash);
    case RECORD_WORD:
        memcpy(&word, bytes, sizeof word);
        memcpy((unsigned char *)&config + word.offset_bytes, &word.value, sizeof word.value);
        return mix_init(hash);
    case RECORD_CHANGE:
        memcpy(&word, bytes, sizeof word);
        memcpy((unsigned char *)&config + word.offset_bytes, &word.value, sizeof word.value);
        return hash;
    case RECORD_PATCH:
        patch_state(bytes);
        return hash;
    case RECORD_STEP:
        memcpy(&step, bytes, sizeof step);
        replay_wish = step.wish;
        memset(&output, 0x5A, sizeof output); /* whatever was there: it must be written wholly */
        tw_step(&config, &state, &step.input, &output);
        hash = mix(mix_state(hash), &replay_view, sizeof replay_view);
        return mix(hash, &output, sizeof output);
    case RECORD_WRITE: {
        memcpy(&write, bytes, sizeof write);
        show_mode(write.mode_shown);
        int32_t row = tw_tx_allowed(write.rule, write.written_mono_ms, write.rule_count, &output,
                                    &write.write);
        hash = mix(hash, write.written_mono_ms, sizeof write.written_mono_ms);
        return mix(hash, &row, sizeof row);
    }
    default:
        fprintf(stderr, "unknown record %u\n", (unsigned)head.kind);
        exit(3);
    }
}

/* Mapped, not read: a mutant seldom lives longer than a few of its pages. */
static const unsigned char *map_file(const char *name, size_t *size_bytes)
{
    FILE *file = fopen(name, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", name);
        exit(3);
    }
    *size_bytes = (size_t)ftell(file);
    void *bytes = mmap(NULL, *size_bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    if (bytes == MAP_FAILED) {
        fprintf(stderr, "cannot map %s\n", name);
        exit(3);
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 3;
    }
    size_t size_bytes = 0;
    size_t trail_bytes = 0;
    const unsigned char *bytes = map_file(argv[1], &size_bytes);
    const unsigned char *trail = argc > 3 && strcmp(argv[2], "check") == 0 ? map_file(argv[3], &trail_bytes) : NULL;
    FILE *keep = argc > 3 && strcmp(argv[2], "write") == 0 ? fopen(argv[3], "wb") : NULL;
    uint64_t hash = mix_tables(1);
    size_t record = 0;
    for (size_t at = 0; at + sizeof(record_head_t) <= size_bytes; record++) {
        record_head_t head;
        memcpy(&head, bytes + at, sizeof head);
        at += sizeof head;
        hash = mix_record(hash, head, bytes + at);
        at += head.size_bytes;
        if (keep != NULL) {
            fwrite(&hash, sizeof hash, 1, keep);
        }
        if (trail != NULL && (record * 8 + 8 > trail_bytes || memcmp(trail + record * 8, &hash, 8) != 0)) {
            printf("differs at record %zu of kind %u\n", record, (unsigned)head.kind);
            return 1;
        }
    }
    if (keep != NULL) {
        fclose(keep);
    }
    printf("%016llx %zu\n", (unsigned long long)hash, record);
    return 0;
}
