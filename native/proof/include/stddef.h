/* What the kernel uses of it. */
#ifndef TW_PROOF_STDDEF_H
#define TW_PROOF_STDDEF_H

#ifdef TW_ILP32
typedef unsigned int size_t;
#else
typedef unsigned long size_t;
#endif
#define offsetof(type, member) __builtin_offsetof(type, member)

#endif
