// Entropy decoding for Python: arrays and bounds are checked here, so that the kernel need not.
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <vector>

#include "binding.h"
#include "decode.h"

namespace gradpress {

namespace {

using Levels = nb::ndarray<int16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

// Rows of `shape`: own rows, own columns, h, v, index of the DC table, of the AC table.
ScanComponent component_of(const Levels& levels, const int32_t* shape, int tables) {
    ScanComponent component = {levels.data(),        (int64_t)levels.shape(0), (int64_t)levels.shape(1),
                               shape[0],             shape[1],                 shape[2],
                               shape[3],             shape[4],                 shape[5],
                               nullptr};
    require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
    require(0 <= component.own_rows && component.own_rows <= component.rows && 0 <= component.own_columns &&
                component.own_columns <= component.columns,
            "the component's blocks must lie inside the array");
    require(1 <= component.h && component.h <= 4 && 1 <= component.v && component.v <= 4,
            "sampling factors must lie in 1..4");
    require(0 <= component.dc && component.dc < tables && 0 <= component.ac && component.ac < tables,
            "a table is out of range");
    return component;
}

void check(const ScanPlan& plan) {
    require(0 <= plan.begin && plan.begin <= plan.end && plan.end <= 63, "the band must lie in 0..63");
    require(0 <= plan.low && plan.low <= 13 && 0 <= plan.high && plan.high <= 14, "the bits must lie in 0..13");
    require(plan.restart_interval >= 0, "a restart interval cannot be negative");
    require(!plan.progressive || plan.begin > 0 || plan.end == 0, "a progressive scan codes DC or AC");
    require(!plan.begin || plan.count == 1, "AC is coded for one component at a time");
    require(plan.mcu_rows >= 0 && plan.mcu_columns >= 0, "MCUs cannot be negative");
    for (int i = 0; plan.count > 1 && i < plan.count; i++) {
        const ScanComponent& component = plan.components[i];
        require(plan.mcu_rows * component.v <= component.rows && plan.mcu_columns * component.h <= component.columns,
                "MCUs must lie inside the arrays");
    }
}

// Decodes data[begin:end], and adds to `spent` what its bits were spent on; returns the fault's number, its offset in `data`, units decoded whole, all
// units, and bytes that were not needed.
nb::tuple decode(nb::bytes data, int64_t begin, int64_t end, const std::vector<Levels>& levels, In<int32_t, 2> shapes,
                 In<uint8_t, 2> counts, In<uint8_t, 2> symbols, bool progressive, std::array<int, 4> band,
                 std::array<int64_t, 2> mcus, int64_t restart_interval, bool salvage, nb::object spent) {
    ScanPlan plan = {};
    require(0 <= begin && begin <= end && end <= (int64_t)data.size(), "the scan must lie inside the data");
    require(1 <= levels.size() && levels.size() <= 4 && shapes.shape(0) == levels.size() && shapes.shape(1) == 6,
            "one to four components, each with six numbers");
    require(1 <= counts.shape(0) && counts.shape(0) <= 8 && symbols.shape(0) == counts.shape(0) &&
                counts.shape(1) == 16 && symbols.shape(1) == 256,
            "tables must be (1..8, 16) and (1..8, 256)");
    plan.count = (int)levels.size();
    plan.table_count = (int)counts.shape(0);
    for (size_t i = 0; i < levels.size(); i++)
        plan.components[i] = component_of(levels[i], shapes.data() + 6 * i, plan.table_count);
    for (size_t i = 0; i < counts.shape(0); i++)
        plan.tables[i] = {counts.data() + 16 * i, symbols.data() + 256 * i};
    plan.progressive = progressive;
    plan.begin = band[0], plan.end = band[1], plan.high = band[2], plan.low = band[3];
    plan.mcu_rows = mcus[0], plan.mcu_columns = mcus[1];
    plan.restart_interval = restart_interval;
    check(plan);
    if (!spent.is_none()) {
        const auto bits = nb::cast<Out<int64_t, 2>>(spent);
        require(bits.shape(0) == levels.size() && bits.shape(1) == 65, "bits spent must be (components, 65)");
        for (size_t i = 0; i < levels.size(); i++) plan.components[i].spent = bits.data() + 65 * i;
    }
    const auto* bytes = (const uint8_t*)data.c_str();
    Outcome outcome;
    {
        nb::gil_scoped_release release;
        outcome = decode_scan(bytes + begin, end - begin, plan, salvage);
    }
    return nb::make_tuple((int)outcome.fault, begin + outcome.offset, outcome.units, outcome.all_units, outcome.unused);
}

}  // namespace

void bind_decode(nb::module_& m) {
    m.def("decode_scan", &decode, "data"_a, "begin"_a, "end"_a, "levels"_a, "shapes"_a, "counts"_a, "symbols"_a,
          "progressive"_a, "band"_a, "mcus"_a, "restart_interval"_a, "salvage"_a,
          "spent"_a.none() = nb::none());
}

}  // namespace gradpress
