// What a person asks of a serving run, as figures.
//
//   ServingReport report = Summarize(inputs, outcome);  // serving_report.proto
//   std::cout << ToText(report);
//
// To add a figure: a field in serving_report.proto, its row in
// serving_figures.cc, and where Summarize sets it.
#ifndef SCENARIOS_SERVING_REPORT_H_
#define SCENARIOS_SERVING_REPORT_H_

#include <span>
#include <string>

#include "scenarios/figures.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_report.pb.h"
#include "scenarios/serving_run.h"

namespace scenarios {

ServingReport Summarize(const ServingInputs& inputs,
                        const ServingOutcome& outcome);
// Of engines that have no room for their cache: what they need, and nothing
// else.
ServingReport DescribeMisfit(const ServingInputs& inputs);

std::string ToText(const ServingReport& report);

std::span<const FigureRow> ServingFigureRows();
std::string ServingFigureMeanings();

// "poisson at 4 requests/s, 1000 requests".
std::string DescribeLoad(const ServingInputs& inputs);

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_REPORT_H_
