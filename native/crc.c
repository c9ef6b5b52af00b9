/* CRC-16/MODBUS (polynomial 0xA001 reflected, start 0xFFFF), a bit at a time: frames are short and there is no table. */
#include "inner.h"

uint16_t tw_crc16(const uint8_t *bytes, int32_t size)
{
    uint32_t crc = 0xFFFFU;
    for (int32_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int32_t bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xA001U & (0U - (crc & 1U)));
        }
    }
    return (uint16_t)crc;
}
