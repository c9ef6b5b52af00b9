/* A slave made with libmodbus for the interoperability tests: slave_libmodbus PATH UNIT [RESPONSE_TIMEOUT_MS].
 *
 * 100 holding registers 1000 * unit + address and 100 input registers 500 above them; 115200 8N1. Says "ready VERSION" once
 * it listens, and ends when its line does. The third argument is how long it waits for another slave's answer (default:
 * the library's own half second).
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { REGISTERS = 100 };

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s PATH UNIT [RESPONSE_TIMEOUT_MS]\n", argv[0]);
        return 2;
    }
    int unit = atoi(argv[2]);
    modbus_t *line = modbus_new_rtu(argv[1], 115200, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, REGISTERS, REGISTERS);
    if (line == NULL || map == NULL || modbus_set_slave(line, unit) || modbus_connect(line)) {
        fprintf(stderr, "%s: %s\n", argv[1], modbus_strerror(errno));
        return 1;
    }
    if (argc > 3) {
        modbus_set_response_timeout(line, 0, (uint32_t)atoi(argv[3]) * 1000);
    }
    for (int address = 0; address < REGISTERS; address++) {
        map->tab_registers[address] = (uint16_t)(1000 * unit + address);
        map->tab_input_registers[address] = (uint16_t)(1000 * unit + 500 + address);
    }
    printf("ready libmodbus %u.%u.%u\n", libmodbus_version_major, libmodbus_version_minor, libmodbus_version_micro);
    fflush(stdout);
    uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
    for (;;) {
        int size = modbus_receive(line, request);
        if (size > 0) { /* 0: for another slave */
            modbus_reply(line, request, size, map);
        } else if (size < 0 && errno != EMBBADCRC && errno != ETIMEDOUT && errno != EMBBADDATA) {
            return 0;
        }
    }
}
