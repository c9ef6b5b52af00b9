/* The integer types of the machine that is proved for: LP64, or ILP32 where TW_ILP32 is defined. */
#ifndef TW_PROOF_STDINT_H
#define TW_PROOF_STDINT_H

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
#ifdef TW_ILP32
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define INT64_C(value) value##LL
#define UINT64_C(value) value##ULL
#else
typedef long int64_t;
typedef unsigned long uint64_t;
#define INT64_C(value) value##L
#define UINT64_C(value) value##UL
#endif

#define INT32_MAX 2147483647
#define INT32_MIN (-INT32_MAX - 1)
#define INT64_MAX INT64_C(9223372036854775807)
#define INT64_MIN (-INT64_MAX - 1)
#define UINT64_MAX UINT64_C(18446744073709551615)

#endif
