#include "tools/calibrate/measure/roofline.h"

namespace tools {
namespace {

struct Kernel {
  const char* name;
  Outcome (*measure)(const RooflineCase& c, const Effort& effort, Bench& bench);
};
constexpr Kernel kKernels[] = {{"hbm_read", MeasureHbm},
                               {"hbm_write", MeasureHbm},
                               {"hbm_copy", MeasureHbm},
                               {"hbm_triad", MeasureHbm},
                               {"l2_read", MeasureL2},
                               {"shared_read", MeasureShared},
                               {"mma", MeasureMma},
                               {"mma_sustained", MeasureMma},
                               {"wgmma", MeasureWgmma},
                               {"wgmma_sustained", MeasureWgmma},
                               {"fma", MeasureFma},
                               {"ex2", MeasureExp2},
                               {"launch_stream", MeasureLaunch},
                               {"launch_graph", MeasureLaunch},
                               {"h2d_pinned", MeasureHostCopy},
                               {"d2h_pinned", MeasureHostCopy},
                               {"h2d_pageable", MeasureHostCopy},
                               {"d2h_pageable", MeasureHostCopy}};

}  // namespace

Outcome MeasureRoofline(const RooflineCase& c, const Effort& effort,
                        Bench& bench) {
  for (const Kernel& kernel : kKernels) {
    if (c.kernel == kernel.name) return kernel.measure(c, effort, bench);
  }
  return Skipped("no kernel has this name");
}

}  // namespace tools
