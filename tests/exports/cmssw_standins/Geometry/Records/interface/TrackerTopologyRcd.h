#pragma once

class TrackerTopologyRcd {};
