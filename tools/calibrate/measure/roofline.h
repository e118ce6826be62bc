// Ceilings of the card: kernels of our own that do one thing.
//
//   MeasureRoofline({"hbm_copy", "", 1 << 30}, effort, bench)
//       // 537 MB read, 537 MB written
//
// To add one: a case in cases.cc, a row in kKernels of roofline.cu, and its
// function in the file of its unit.
#ifndef TOOLS_CALIBRATE_MEASURE_ROOFLINE_H_
#define TOOLS_CALIBRATE_MEASURE_ROOFLINE_H_

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/bench.h"
#include "tools/calibrate/plan.h"

namespace tools {

Outcome MeasureRoofline(const RooflineCase& c, const Effort& effort,
                        Bench& bench);

// roofline_memory.cu
Outcome MeasureHbm(const RooflineCase& c, const Effort& effort, Bench& bench);
Outcome MeasureL2(const RooflineCase& c, const Effort& effort, Bench& bench);
Outcome MeasureShared(const RooflineCase& c, const Effort& effort,
                      Bench& bench);
// roofline_tensor.cu
Outcome MeasureMma(const RooflineCase& c, const Effort& effort, Bench& bench);
Outcome MeasureWgmma(const RooflineCase& c, const Effort& effort, Bench& bench);
// roofline_vector.cu
Outcome MeasureFma(const RooflineCase& c, const Effort& effort, Bench& bench);
Outcome MeasureExp2(const RooflineCase& c, const Effort& effort, Bench& bench);
// roofline_host.cu
Outcome MeasureLaunch(const RooflineCase& c, const Effort& effort,
                      Bench& bench);
Outcome MeasureHostCopy(const RooflineCase& c, const Effort& effort,
                        Bench& bench);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_ROOFLINE_H_
