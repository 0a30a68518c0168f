// Calls a sandbox with Iterable's own client; prints what came of each call, a JSON line each.
// The client takes address and key from ITERABLE_BASE_URL and ITERABLE_API_KEY, and checks every
// accepted answer against its schemas.
import { IterableClient } from "@iterable/api";

const client = new IterableClient();
const email = "ada+tag@example.com";
const userId = "ada/1";

async function call(name, ...args) {
  const line = { name };
  try {
    line.answer = await client[name](...args);
  } catch (error) {
    line.error = error.constructor.name;
    line.status = error.statusCode;
    line.code = error.code;
    line.message = error.message;
  }
  console.log(JSON.stringify(line));
  return line.answer;
}

// users
await call("updateUser", { email, userId, dataFields: { age: 36, tags: ["a"] } });
await call("updateUser", { email: "bad@" });
await call("updateUser", { email, dataFields: { age: "old" } });
await call("bulkUpdateUsers", { users: [{ email: "bob@example.com", userId: "bob" }, { email: "bad@" }] });
await call("getUserByEmail", { email });
await call("getUserByEmail", { email: "nobody@example.com" });
await call("getUserByUserId", { userId });
await call("getUserByUserId", { userId: "nobody" });
await call("getUserFields");

// lists
const { listId } = await call("createList", { name: "a list", description: "of people" });
await call("subscribeUserToList", { listId, subscribers: [{ email }, { email: "bad@" }] });
await call("subscribeUserToList", { listId: 999999, subscribers: [{ email }] });
await call("getListSize", { listId });
await call("getListUsers", { listId, maxResults: 10 });
await call("getListPreviewUsers", { listId, preferUserId: true, size: 10 });
await call("getLists");
await call("unsubscribeUserFromList", { listId, subscribers: [{ email }], channelUnsubscribe: false });

// events
await call("trackEvent", { email, eventName: "seen", id: "e-1", dataFields: { page: "a" } });
await call("trackEvent", { email, eventName: "seen", createdAt: 1700000000 });
await call("trackBulkEvents", { events: [{ userId, eventName: "bought" }, { email: "bad@", eventName: "bought" }] });
await call("getUserEventsByEmail", { email, limit: 10 });
await call("getUserEventsByUserId", { userId });

// catalogs
const catalogName = "shop";
const itemId = "tea-1";
await call("createCatalog", { catalogName });
await call("replaceCatalogItems", { catalogName, documents: { [itemId]: { price: 2.5, name: "Tea" } } });
await call("partialUpdateCatalogItems", { catalogName, documents: { "tea-2": { price: 3.5 } } });
await call("replaceCatalogItem", { catalogName, itemId: "tea-3", value: { price: 1.5 } });
await call("partialUpdateCatalogItem", { catalogName, itemId, update: { price: 4.5 } });
await call("updateCatalogFieldMappings", { catalogName, mappingsUpdates: [{ fieldName: "price", fieldType: "double" }] });
await call("getCatalogFieldMappings", { catalogName });
await call("getCatalogs", { page: 1, pageSize: 10 });
await call("getCatalogItems", { catalogName, page: 1, pageSize: 2, orderBy: "price", sortAscending: true });
await call("getCatalogItem", { catalogName, itemId });
await call("getCatalogItem", { catalogName, itemId: "nothing" });
await call("deleteCatalogItem", { catalogName, itemId });
await call("bulkDeleteCatalogItems", { catalogName, itemIds: ["tea-2"] });
await call("deleteCatalog", { catalogName });

// subscriptions
const group = { subscriptionGroup: "emailList", subscriptionGroupId: listId };
await call("updateUserSubscriptions", { email, unsubscribedChannelIds: [1] });
await call("bulkUpdateSubscriptions", { ...group, action: "subscribe", users: [email], usersByUserId: ["bob"] });
await call("subscribeUserByEmail", { ...group, userEmail: email });
await call("subscribeUserByUserId", { ...group, userId });
await call("unsubscribeUserByEmail", { ...group, userEmail: email });
await call("unsubscribeUserByUserId", { ...group, userId });

// reads
await call("getChannels");
await call("getMessageTypes");
await call("getCampaigns", { page: 1, pageSize: 2 });

// what ends people and lists
await call("updateEmail", { currentEmail: "bob@example.com", newEmail: "rob@example.com" });
await call("mergeUsers", { sourceEmail: "rob@example.com", destinationEmail: email });
await call("deleteUserByUserId", { userId });
await call("deleteUserByEmail", { email });
await call("deleteList", { listId });
client.destroy();
