#include "tools/calibrate/measure/device_state.h"

#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "tools/calibrate/op_rows.h"

namespace tools {
namespace {

// Of nvml.h, which machines without the CUDA toolkit's extras lack.
constexpr int kSuccess = 0, kClockSm = 1, kClockMemory = 2, kSensorGpu = 0;

}  // namespace

template <class Function>
Function DeviceState::Find(const char* name) const {
  return reinterpret_cast<Function>(dlsym(library_, name));
}

DeviceState::DeviceState(int pci_domain, int pci_bus, int pci_device) {
  library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (library_ == nullptr) return;
  const auto start = Find<int (*)()>("nvmlInit_v2");
  const auto find =
      Find<int (*)(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
  if (start == nullptr || find == nullptr || start() != kSuccess) return;
  char bus[32];
  std::snprintf(
      bus, sizeof bus, "%08x:%02x:%02x.0", static_cast<unsigned>(pci_domain),
      static_cast<unsigned>(pci_bus), static_cast<unsigned>(pci_device));
  if (find(bus, &device_) != kSuccess) {
    device_ = nullptr;
    return;
  }
  clock_ = Find<int (*)(void*, int, unsigned*)>("nvmlDeviceGetClockInfo");
  temperature_ =
      Find<int (*)(void*, int, unsigned*)>("nvmlDeviceGetTemperature");
  power_ = Find<int (*)(void*, unsigned*)>("nvmlDeviceGetPowerUsage");
}

DeviceState::~DeviceState() {
  if (library_ != nullptr) dlclose(library_);
}

double DeviceState::Ask(int (*question)(void*, int, unsigned*),
                        int what) const {
  unsigned answer = 0;
  if (device_ == nullptr || question == nullptr ||
      question(device_, what, &answer) != kSuccess) {
    return -1;
  }
  return answer;
}

CardState DeviceState::Read() const {
  CardState card;
  card.sm_clock_mhz = Ask(clock_, kClockSm);
  card.memory_clock_mhz = Ask(clock_, kClockMemory);
  card.temperature_c = Ask(temperature_, kSensorGpu);
  unsigned milliwatts = 0;
  if (device_ != nullptr && power_ != nullptr &&
      power_(device_, &milliwatts) == kSuccess) {
    card.power_w = milliwatts / 1000.0;
  }
  return card;
}

std::string DeviceState::DriverVersion() const {
  if (library_ == nullptr) return "";
  char version[96] = "";
  const auto ask = Find<int (*)(char*, unsigned)>("nvmlSystemGetDriverVersion");
  if (ask == nullptr || ask(version, sizeof version) != kSuccess) return "";
  return version;
}

}  // namespace tools
