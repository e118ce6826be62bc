// Clocks, power and temperature of a card, read through the driver's NVML. It
// is opened at run time: where it is missing, nothing is known. Nothing here
// changes a setting.
//
//   DeviceState state(card.pciDomainID, card.pciBusID, card.pciDeviceID);
//   state.Read().sm_clock_mhz   // 1980
#ifndef TOOLS_CALIBRATE_MEASURE_DEVICE_STATE_H_
#define TOOLS_CALIBRATE_MEASURE_DEVICE_STATE_H_

#include <string>

#include "tools/calibrate/op_rows.h"

namespace tools {

class DeviceState {
 public:
  DeviceState(int pci_domain, int pci_bus, int pci_device);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  CardState Read() const;
  // "580.159.03"; empty if unknown.
  std::string DriverVersion() const;

 private:
  template <class Function>
  Function Find(const char* name) const;
  double Ask(int (*question)(void*, int, unsigned*), int what) const;

  void* library_ = nullptr;
  void* device_ = nullptr;
  int (*clock_)(void*, int, unsigned*) = nullptr;
  int (*temperature_)(void*, int, unsigned*) = nullptr;
  int (*power_)(void*, unsigned*) = nullptr;
};

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_DEVICE_STATE_H_
