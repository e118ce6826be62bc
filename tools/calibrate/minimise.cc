#include "tools/calibrate/minimise.h"

#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace tools {
namespace {

bool ByLogarithm(const Variable& v) { return v.least > 0; }

double Searched(const Variable& v, double value) {
  return ByLogarithm(v) ? std::log(value) : value;
}

double Meant(const Variable& v, double searched) {
  const double value = ByLogarithm(v) ? std::exp(searched) : searched;
  return std::clamp(value, v.least, v.most);
}

struct Search {
  std::span<const Variable> variables;
  const std::function<double(std::span<const double>)>& f;
  std::vector<double> at;
  int evaluations = 0;
};

double Evaluate(unsigned n, const double* x, double*, void* search) {
  auto& s = *static_cast<Search*>(search);
  for (unsigned i = 0; i < n; ++i) s.at[i] = Meant(s.variables[i], x[i]);
  ++s.evaluations;
  return s.f(s.at);
}

}  // namespace

Minimum Minimise(std::span<const Variable> variables,
                 const std::function<double(std::span<const double>)>& f,
                 int most_evaluations) {
  const size_t n = variables.size();
  Search search{variables, f, std::vector<double>(n)};
  std::vector<double> x, least, most, step;
  for (const Variable& v : variables) {
    x.push_back(Searched(v, std::clamp(v.start, v.least, v.most)));
    least.push_back(Searched(v, v.least));
    most.push_back(Searched(v, v.most));
    // A tenth of a scale; of the bounds where zero is allowed.
    step.push_back(ByLogarithm(v) ? 0.1 : 0.1 * (v.most - v.least));
  }
  const std::unique_ptr<nlopt_opt_s, decltype(&nlopt_destroy)> opt(
      nlopt_create(NLOPT_LN_SBPLX, static_cast<unsigned>(n)), &nlopt_destroy);
  nlopt_set_min_objective(opt.get(), Evaluate, &search);
  nlopt_set_lower_bounds(opt.get(), least.data());
  nlopt_set_upper_bounds(opt.get(), most.data());
  nlopt_set_initial_step(opt.get(), step.data());
  nlopt_set_ftol_rel(opt.get(), 1e-4);
  nlopt_set_xtol_rel(opt.get(), 1e-4);
  nlopt_set_maxeval(opt.get(), most_evaluations);
  double value = 0;
  nlopt_optimize(opt.get(), x.data(), &value);
  Minimum minimum{std::vector<double>(n), value, search.evaluations};
  for (size_t i = 0; i < n; ++i) minimum.at[i] = Meant(variables[i], x[i]);
  return minimum;
}

}  // namespace tools
