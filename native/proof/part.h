/* What stands for the one division where its answer does not matter: any number at all, asked for within its range. */
#ifndef TW_PROOF_PART_H
#define TW_PROOF_PART_H

#include "promises.h"

int64_t any_part(int64_t whole, int64_t part, int64_t of);

int64_t any_part(int64_t whole, int64_t part, int64_t of)
{
    HOLDS(part_fits(whole, part), "the division is asked within its range");
    (void)of;
    return nondet_int64();
}

#endif
