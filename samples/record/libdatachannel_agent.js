// Gathers candidates with libdatachannel (its ICE is libjuice), as one end of a call does that never hears of the other.
//
//     libdatachannel_agent.js HOST PORT USER PASSWORD
//
// npm: node-datachannel, in a folder that NODE_PATH names.
const { PeerConnection, cleanup } = require("node-datachannel");
const [hostname, port, username, password] = process.argv.slice(2);
const server = { hostname, port: Number(port), username, password, relayType: "TurnUdp" };
const connection = new PeerConnection("sample", { iceServers: [server] });
connection.onLocalCandidate((candidate) => console.log(candidate));
connection.onGatheringStateChange((state) => console.log(state));
connection.createDataChannel("sample");
setTimeout(() => {
  connection.close();
  cleanup();
}, 4000);
