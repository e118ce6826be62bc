// What `orrery capacity` answers.
//
//   CapacityReport r = ReportHighestLoad(inputs, capacity);
//   std::cout << ToText(r);  // or ToJson(r), ToCsv({&r}) of answer.h
//
// To add a figure: a field in capacity_report.proto, its row in the .cc and
// where it is set.
#ifndef SCENARIOS_CAPACITY_REPORT_H_
#define SCENARIOS_CAPACITY_REPORT_H_

#include <span>
#include <string>
#include <vector>

#include "scenarios/capacity.h"
#include "scenarios/capacity_report.pb.h"
#include "scenarios/deployments.h"
#include "scenarios/figures.h"
#include "scenarios/serving_inputs.h"

namespace scenarios {

CapacityReport ReportHighestLoad(const ServingInputs& inputs,
                                 const Capacity& capacity);
// `load`: the one that was asked about.
CapacityReport ReportFewestEngines(const ServingInputs& inputs, double load,
                                   const Capacity& capacity);
// REQUIRES: `all` is ranked, as CompareDeployments ranks it.
CapacityReport ReportDeployments(const ServingInputs& inputs,
                                 const std::vector<Deployment>& all);
// Of engines that have no room for their cache.
CapacityReport ReportNoRoom(const ServingInputs& inputs);
void AddWaysOut(const std::vector<WayToServe>& ways, CapacityReport* report);

std::string ToText(const CapacityReport& report);

std::span<const FigureRow> CapacityFigureRows();
std::string CapacityFigureMeanings();

}  // namespace scenarios

#endif  // SCENARIOS_CAPACITY_REPORT_H_
