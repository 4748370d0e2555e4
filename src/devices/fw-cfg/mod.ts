export { FW_CFG_ITEM, FW_CFG_PORTS, FwCfg, type FwCfgFile, type FwCfgState } from './fw-cfg.ts';
