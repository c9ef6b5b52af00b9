/* What the kernel uses of it. */
#ifndef TW_PROOF_STDBOOL_H
#define TW_PROOF_STDBOOL_H

#define bool _Bool
#define true 1
#define false 0

#endif
