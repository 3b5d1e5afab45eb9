// Entropy decoding of one scan of a JPEG file into levels (ITU-T T.81, annexes F.2.2 and G.2).
// The bytes are untrusted: whatever they are, time is linear in blocks and bytes, nothing outside
// the arrays given is touched, and what is wrong comes back as a Fault with its place.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gradpress {

// A table as a DHT segment defines it (T.81, B.2.4.2).
struct HuffmanLists {
    const uint8_t* counts;   // (16,): how many words have 1, 2, … 16 bits
    const uint8_t* symbols;  // (256,): in order of their words
};

struct ScanComponent {
    int16_t* levels;        // (rows, columns, 64), zigzag order
    int64_t rows, columns;  // of blocks, in the array
    int64_t own_rows, own_columns;  // that hold samples: what a scan of this component alone codes
    int h, v;               // sampling factors, 1…4
    int dc, ac;             // indices of its tables
    int64_t* spent;         // (65,): bits are added to their coefficient, ends of blocks and bands to
                            // the last; or null
};

// The array of an interleaved component holds mcu_rows × v rows of mcu_columns × h blocks at least.
struct ScanPlan {
    ScanComponent components[4];
    int count;          // of components, 1…4
    bool progressive;   // else sequential
    int begin, end;     // Ss, Se
    int high, low;      // Ah, Al, at most 13
    int64_t mcu_rows, mcu_columns;
    int64_t restart_interval;  // MCUs; 0 for none
    HuffmanLists tables[8];
    int table_count;
};

enum class Fault : int {
    none,
    table,    // a Huffman table has more words than its lengths allow
    code,     // bits that are no word of the table
    size,     // a symbol that this kind of scan does not have
    place,    // a level behind the end of its band
    range,    // a level of more than 16 bits
    cut,      // the data end before the scan does
    restart,  // a restart marker is missing or not the next one
};

struct Outcome {
    Fault fault;         // the first
    int64_t offset;      // about where in the data
    int64_t units;       // MCUs, or blocks of a scan of one component, that were decoded whole
    int64_t all_units;
    int64_t unused;      // bytes behind the last block that nothing needs
};

// Decode data[0..size), which ends before the next marker other than RST. With `salvage` decoding
// goes on at the next restart marker behind a fault; else it ends there.
Outcome decode_scan(const uint8_t* data, int64_t size, const ScanPlan& plan, bool salvage);

}  // namespace gradpress
